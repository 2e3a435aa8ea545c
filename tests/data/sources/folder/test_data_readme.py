"""The examples of data/README.md, each read as the page says."""

import re
from pathlib import Path

import pytest

from wsss.data.sources.folder.folder import Folder

PAGE = (Path(__file__).parents[4] / "data" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r'^```\w+ title="(.*?)"\n(.*?)^```', PAGE, flags=re.MULTILINE | re.DOTALL)
TABLES = [(file, text) for file, text in EXAMPLES if file.startswith("labels")]
OTHERS = {file: text for file, text in EXAMPLES if not file.startswith("labels")}
TAGS = {"001": ("cat", "dog"), "002": ("cat",), "003": ("dog",)}


def tags(source):
    items = (item for split in ("train", "val") for item in source.items(split))
    return {item.id: tuple(source.class_names[n - 1] for n in item.labels) for item in items}


@pytest.fixture
def root(write_folder):
    return write_folder({f"{name}.jpg": labels for name, labels in TAGS.items()}, labels_csv=None)


def test_the_page_shows_every_form():
    assert len(TABLES) == 11
    assert set(OTHERS) == {"Annotations/001.xml", "cls_labels.npy", "images"}


@pytest.mark.parametrize(("file", "text"), TABLES)
def test_tables(root, write_folder, file, text):
    (root / file).write_text(text, encoding="utf-8")
    source = Folder(root)
    expected = Folder(write_folder({f"{n}.jpg": t for n, t in TAGS.items()}, root="expected"))
    assert tags(source) == TAGS
    for split in ("train", "val"):
        assert source.fingerprint(split) == expected.fingerprint(split)


def test_xml(root):
    (root / "Annotations").mkdir()
    (root / "Annotations" / "001.xml").write_text(OTHERS["Annotations/001.xml"])
    assert tags(Folder(root)) == {"001": TAGS["001"]}


def test_arrays(root, monkeypatch):
    monkeypatch.chdir(root)
    exec(compile(OTHERS["cls_labels.npy"], "data/README.md", "exec"), {})
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    assert tags(Folder(root)) == TAGS


def test_folders(write_folder):
    files = [line.removeprefix("images/") for line in OTHERS["images"].splitlines()]
    root = write_folder(dict.fromkeys(files, ()), labels_csv=None)
    assert tags(Folder(root)) == {"cat/002": ("cat",), "cat/004": ("cat",), "dog/003": ("dog",)}
