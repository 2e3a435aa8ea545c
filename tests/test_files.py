import errno
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from wsss.artifacts import LabelStore, Seeds, SeedStore, atomic, read_json, write_json
from wsss.data.sample import Item
from wsss.files import DamagedFileError, StorageError, on_disk
from wsss.stage_tools.scoring import CountStore

ITEM = Item("image", (1, 2))


def seeds(folder):
    maps = np.linspace(0, 1, 32).reshape(2, 4, 4).astype(np.float16)
    store = SeedStore(folder)
    store.write(ITEM, Seeds(np.array([1, 2], dtype=np.uint16), maps, (16, 16)))
    return store


def masks(folder):
    store = LabelStore(folder)
    store.write(ITEM, np.repeat(np.arange(16, dtype=np.uint8), 16).reshape(16, 16))
    return store


def counts(folder):
    store = CountStore(folder)
    store.write(ITEM, {"masks": np.arange(12).reshape(3, 4)})
    return store


def plain(content):
    if isinstance(content, Seeds):
        return [content.labels.tolist(), content.maps.tolist(), content.size]
    return {name: m.tolist() for name, m in content.items()} if isinstance(content, dict) else (
        content.tolist()
    )  # fmt: skip


@pytest.mark.parametrize("write", [seeds, masks, counts])
def test_a_flipped_byte_is_harmless_or_told_with_the_file(tmp_path, write):
    store = write(tmp_path)
    path, expected = store.path(ITEM), plain(store.read(ITEM))
    whole = path.read_bytes()
    told = []
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert plain(store.read(ITEM)) == expected
        except DamagedFileError as error:
            told.append(error.path)
    assert set(told) == {path}
    assert len(told) > len(whole) / 6


class Damaged(Dataset):
    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 1

    def __getitem__(self, _):
        raise DamagedFileError(self.path, "BadZipFile: (no) zip")


def test_a_damaged_file_keeps_its_name_between_processes(tmp_path):
    path = tmp_path / "a (1): b.npz"
    error = DamagedFileError(path, "BadZipFile: (no) zip")
    again = pickle.loads(pickle.dumps(error))
    with pytest.raises(DamagedFileError) as caught:
        next(iter(DataLoader(Damaged(path), num_workers=1)))
    for one in (again, caught.value):
        assert one.path == path
        assert one.problems == error.problems


class Full(Dataset):
    def __init__(self, folder):
        self.folder = folder

    def __len__(self):
        return 1

    def __getitem__(self, _):
        with on_disk(self.folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_keeps_its_name_between_processes(tmp_path):
    folder = tmp_path / "a (1): b"
    with pytest.raises(StorageError) as caught:
        next(iter(DataLoader(Full(folder), num_workers=1)))
    (problem,) = caught.value.problems
    assert problem.where == str(folder)
    assert problem.came == "it cannot be written: No space left on device"
    assert problem.expected == "room on the disk"
    assert problem.remedy.startswith("Make room and run the same command again")


def test_json_that_is_none_is_told(tmp_path):
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(DamagedFileError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_a_file_that_is_not_there_is_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "a.json")


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path):
    write_json(tmp_path / "a.json", 1)
    told = pytest.raises(StorageError, match=r"a\.json.*No space left.*run the same command again")
    with told, atomic(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert read_json(tmp_path / "a.json") == 1


class FullDisk(io.RawIOBase):
    """A file on a disk with room for some bytes."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def writable(self):
        return True

    def write(self, content):
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(content)


@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_disk_that_gets_full_while_torch_writes_is_told(tmp_path, room):
    told = pytest.raises(StorageError, match=r"a\.ckpt.*No space left")
    with told, on_disk(tmp_path / "a.ckpt"):
        torch.save({"weights": torch.zeros(10_000)}, FullDisk(room))


def test_a_short_write_of_numpy_is_a_full_disk(tmp_path):
    """As `ndarray.tofile` raises it, without a number."""
    told = pytest.raises(StorageError, match=r"a\.npy: it cannot be written: No space left")
    with told, on_disk(tmp_path / "a.npy"):
        raise OSError("5120 requested and 3040 written")


@pytest.mark.parametrize(
    ("number", "file"),
    [(errno.EROFS, None), (errno.EROFS, "elsewhere"), (errno.EACCES, "runs/a.lock")],
)
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, number, file):
    named = tmp_path / (file or "runs/a")
    with pytest.raises(StorageError) as told, on_disk(tmp_path / "runs" / "a"):
        raise OSError(number, os.strerror(number), None if file is None else str(named))
    (problem,) = told.value.problems
    assert problem.where == str(named)
    assert problem.came == f"it cannot be written: {os.strerror(number)}"
    assert "Let it be written to" in problem.remedy


def test_a_file_elsewhere_that_may_not_be_read_is_another_matter(tmp_path):
    with pytest.raises(PermissionError), on_disk(tmp_path / "runs" / "a"):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "images" / "1"))


def test_text_is_utf8_whatever_the_locale(tmp_path):
    code = """
import sys
from pathlib import Path
from wsss.artifacts import read_json, write_json

path = Path(sys.argv[1])
write_json(path, "\\u732b")
assert read_json(path) == "\\u732b"
"""
    environment = {**os.environ, "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    path = tmp_path / "a.json"
    words = [sys.executable, "-c", code, path]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == '"猫"\n'.encode()
