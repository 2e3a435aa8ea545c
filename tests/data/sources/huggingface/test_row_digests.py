"""Digests of the images in tables, which a later start reads in their place."""

import pytest

from wsss.data.source import SPLITS
from wsss.data.sources.huggingface import HuggingFace, huggingface, row_digests

datasets = pytest.importorskip("datasets")

ROWS = 12
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "labels": datasets.Value("string"),
        "mask": datasets.Image(),
    }
)


def save(path, salt=b""):
    """A table whose every third row has a mask."""
    contents = [b"%d" % row * 9000 + salt for row in range(ROWS)]
    masks = [None if row % 3 else b"mask%d" % row for row in range(ROWS)]
    rows = {
        "image": [{"bytes": content, "path": None} for content in contents],
        "labels": ["cat" if row % 2 else "dog" for row in range(ROWS)],
        "mask": [mask and {"bytes": mask, "path": None} for mask in masks],
    }
    datasets.Dataset.from_dict(rows, features=FEATURES).save_to_disk(path)


@pytest.fixture
def read(monkeypatch):
    """Names of the columns that were read."""
    names = []
    samples_of = row_digests.samples_of

    def noted(table, name):
        names.append(name)
        return samples_of(table, name)

    monkeypatch.setattr(row_digests, "samples_of", noted)
    return names


def fingerprints(path, index=None):
    source = HuggingFace(path, mask="mask")
    if index is not None:
        source.keep_index(index)
    return [(source.fingerprint(split), source.mask_fingerprint(split)) for split in SPLITS]


def test_tables_are_read_once(later, read, tmp_path):
    save(tmp_path / "table")
    expected = fingerprints(tmp_path / "table")
    for names in (["image", "mask"], [], []):
        read.clear()
        assert fingerprints(tmp_path / "table", tmp_path / "index") == expected
        assert read == names


def test_a_changed_table_is_read_again(later, read, tmp_path):
    save(tmp_path / "table", b"1")
    before = fingerprints(tmp_path / "table", tmp_path / "index")
    save(tmp_path / "table", b"2")
    read.clear()
    after = fingerprints(tmp_path / "table", tmp_path / "index")
    assert read == ["image", "mask"]
    assert before != after == fingerprints(tmp_path / "table")


def test_a_table_that_was_written_just_now_is_read_again(read, tmp_path):
    save(tmp_path / "table")
    for _ in range(2):
        read.clear()
        fingerprints(tmp_path / "table", tmp_path / "index")
        assert read == ["image", "mask"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"no archive",
        lambda content: content[:-100],
        lambda content: content[:900] + bytes([content[900] ^ 1]) + content[901:],
    ],
    ids=["no archive", "cut", "flipped"],
)
def test_a_damaged_index_is_made_again(later, read, tmp_path, damage):
    save(tmp_path / "table")
    expected = fingerprints(tmp_path / "table", tmp_path / "index")
    (index,) = (tmp_path / "index").iterdir()
    index.write_bytes(damage(index.read_bytes()))
    for names in (["image", "mask"], []):
        read.clear()
        assert fingerprints(tmp_path / "table", tmp_path / "index") == expected
        assert read == names


def test_images_in_files_that_a_table_names_are_looked_at_each_time(later, tmp_path, monkeypatch):
    files = [tmp_path / f"{row}.jpg" for row in range(ROWS)]

    def rows():
        for path in files:
            path.write_bytes(b"one")
            yield {"image": str(path), "labels": "cat", "mask": None}

    table = datasets.Dataset.from_generator(
        rows, features=FEATURES, cache_dir=str(tmp_path / "cache")
    )
    assert table.cache_files
    monkeypatch.setattr(huggingface, "opened_tables", lambda _: {"train": table})
    before = fingerprints(tmp_path, tmp_path / "index")
    files[3].write_bytes(b"two")
    after = fingerprints(tmp_path, tmp_path / "index")
    assert before != after == fingerprints(tmp_path)
    assert not (tmp_path / "index").exists()
