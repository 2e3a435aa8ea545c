"""Lists of a JSON file, against what `json` reads of it at once."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.data.sources.coco.json_lists import list_elements

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(
    content=st.dictionaries(st.text(max_size=6), VALUES, max_size=5),
    chunk_bytes=st.integers(1, 40),
    ascii_alone=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_elements_and_their_places(content, chunk_bytes, ascii_alone, indent, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "a.json"
    text = json.dumps(content, ensure_ascii=ascii_alone, indent=indent)
    path.write_bytes(text.encode(errors="surrogatepass"))
    found = [*list_elements(path, chunk_bytes)]
    expected = [
        (key, one) for key, value in content.items() if isinstance(value, list) for one in value
    ]
    assert [(one.key, one.value) for one in found] == expected
    whole = path.read_bytes()
    assert [json.loads(whole[one.start : one.stop]) for one in found] == [
        one for _, one in expected
    ]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", r"`\[` at byte 0, where `{` should be"),
        ('{"a": [1, 2', "ends too early"),
        ('{"a": [1 2]}', r"`2` at byte 9, where `,` or `\]` should be"),
        ('{"a": [1, x]}', "Expecting value at byte 10"),
        ('{"a" 1}', "`1` at byte 5, where `:` should be"),
        ("", "ends too early"),
    ],
)
def test_what_is_no_object(tmp_path, text, words, chunk_bytes):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        [*list_elements(path, chunk_bytes)]


def test_a_file_is_not_held_in_memory(tmp_path):
    outline = [number / 8 for number in range(500)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"annotations": [{"segmentation": [outline]}] * 600}))
    tracemalloc.start()
    try:
        count = sum(1 for _ in list_elements(path, chunk_bytes=1 << 16))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 600
    assert peak < 0.25 * path.stat().st_size
