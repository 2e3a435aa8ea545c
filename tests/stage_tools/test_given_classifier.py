import json

import pytest

from wsss.errors import WsssError
from wsss.stage_tools.given_classifier import read_output_names

NAMES = ("dog", "große Katze", "cow")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("names.txt", "dog\n große Katze \n\ncow\n"),
        ("names.txt", "\ufeffdog\r\ngroße Katze\r\ncow"),
        ("names.json", json.dumps(NAMES)),
        ("names.json", json.dumps({"cow": 2, "dog": 0, "große Katze": 1})),
        ("names.json", json.dumps({"1": "große Katze", "0": "dog", "2": "cow"})),
    ],
)
def test_names_of_outputs(tmp_path, file, text):
    (tmp_path / file).write_text(text, encoding="utf-8", newline="")
    assert read_output_names(tmp_path / file) == NAMES


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("names.txt", "dog\ncat\ndog", "'dog' more than once"),
        ("names.txt", "\n", "no names"),
        ("names.json", "{", "cannot be read as names"),
        ("names.json", "3", "cannot be read as names"),
        ("names.json", '{"dog": 0, "cat": 2}', "indices that do not count from 0"),
        ("names.json", '{"dog": "first"}', "cannot be read as names"),
    ],
)
def test_files_without_names(tmp_path, file, text, said):
    (tmp_path / file).write_text(text)
    with pytest.raises(WsssError, match=said):
        read_output_names(tmp_path / file)
