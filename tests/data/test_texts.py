import zlib

import pytest

from wsss.data import texts
from wsss.data.texts import TextIndex, Texts

STRINGS = ["", "a", "straße", "\udcff", "日本", "a" * 300, "b"]


def test_texts_are_a_list_of_strings():
    found = Texts(STRINGS[:-1])
    found.append(STRINGS[-1])
    assert list(found) == found[:] == STRINGS
    assert (len(found), found[-1], found[1::2]) == (7, "b", STRINGS[1::2])
    with pytest.raises(IndexError):
        found[7]


@pytest.mark.parametrize("sums", [zlib.crc32, lambda encoded: len(encoded)])
def test_a_string_is_found_also_where_check_sums_are_equal(monkeypatch, sums):
    monkeypatch.setattr(texts, "crc32", sums)
    index = TextIndex(Texts(STRINGS))
    assert [index.find(one) for one in STRINGS] == [*range(7)]
    assert [index.find(one) for one in ("c", "A", "a" * 299)] == [None] * 3
    assert TextIndex(Texts()).find("a") is None
