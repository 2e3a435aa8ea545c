import errno
from pathlib import Path

import pytest
from PIL import Image

from wsss.data.image_inspection import inspect_item
from wsss.data.images import embedded, read_embedded, read_rgb
from wsss.data.pyramids import PyramidBatches, Scales
from wsss.data.sample import Item
from wsss.files import StorageError


class FromMemory:
    """A source whose images are no files."""

    def __init__(self, content):
        self.content = content
        self.reader = self

    def read_image(self, item):
        return read_embedded(self.content, f"{item.id}.png", read_rgb)


@pytest.fixture
def source(tmp_path):
    Image.new("RGB", (40, 30), (1, 2, 3)).save(tmp_path / "a.png")
    return FromMemory((tmp_path / "a.png").read_bytes())


@pytest.fixture
def full(monkeypatch):
    """Files in memory for which there is no room: the system's own error."""

    def full_file(**_):
        return Path("/dev/full").open("wb")

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(embedded, "NamedTemporaryFile", full_file)


def test_an_image_is_read_and_its_file_removed(source, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "IN_MEMORY", tmp_path / "memory")
    (tmp_path / "memory").mkdir()
    assert source.read_image(Item("a", ())).tolist() == [[[1, 2, 3]] * 40] * 30
    assert not any((tmp_path / "memory").iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_full_memory_is_no_error_of_the_image(source, full, there, monkeypatch, tmp_path):
    """It would be left out without a word, and so would many."""
    place = tmp_path if there else tmp_path / "none"
    monkeypatch.setattr(embedded, "IN_MEMORY", place)
    item = Item("a", ())
    batches = PyramidBatches(source, [[item]], Scales())
    for read in (
        lambda: source.read_image(item),
        lambda: inspect_item(source, item),
        lambda: batches[0],
    ):
        with pytest.raises(StorageError, match=r"No space left.*room on the disk") as told:
            read()
        assert told.value.__cause__.errno == errno.ENOSPC
        assert (told.value.problems[0].where == str(tmp_path)) == there


def test_a_folder_in_memory_that_may_not_be_written_to_is_told(source, monkeypatch, tmp_path):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "tmpabc.png"))

    monkeypatch.setattr(embedded, "IN_MEMORY", tmp_path)
    monkeypatch.setattr(embedded, "NamedTemporaryFile", refuse)
    with pytest.raises(StorageError, match=r"tmpabc\.png: it cannot be written"):
        source.read_image(Item("a", ()))
