import os
from pathlib import Path

import pytest

from wsss.data.sources import file_digests
from wsss.data.sources.file_digests import FileDigests
from wsss.data.sources.folder import Folder

CONTENTS = (b"one", b"two", b"three" * 5000, b"")


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(len(CONTENTS))]
    for path, content in zip(paths, CONTENTS, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture
def read(monkeypatch):
    """Names of the files that were read."""
    names = []
    sample_file = file_digests.sample_file

    def noted(path):
        names.append(Path(path).name)
        return sample_file(path)

    monkeypatch.setattr(file_digests, "sample_file", noted)
    return names


def digest(path, files):
    digests = FileDigests(path).load()
    found = digests.of(files)
    digests.save()
    return found


def test_files_are_read_once(files, read, later, tmp_path):
    paths = [files[0], None, *files[1:]]
    first = digest(tmp_path / "index.npz", paths)
    assert sorted(read) == [path.name for path in files]
    read.clear()
    assert digest(tmp_path / "index.npz", paths) == first == FileDigests().of(paths)
    assert len(read) == len(files)  # by the one that keeps nothing


def test_a_changed_file_is_read_again_even_with_its_old_time_and_size(files, read, later, tmp_path):
    before = digest(tmp_path / "index.npz", files)
    old = files[1].stat()
    files[1].write_bytes(b"TWO")
    os.utime(files[1], ns=(old.st_atime_ns, old.st_mtime_ns))
    read.clear()
    after = digest(tmp_path / "index.npz", files)
    assert read == ["1.jpg"]
    assert before != after == FileDigests().of(files)


def test_a_file_that_changed_just_now_is_read_again(files, read, tmp_path):
    """Within a tick of its file system's clock it may change without another time."""
    for _ in range(2):
        read.clear()
        digest(tmp_path / "index.npz", files)
        assert len(read) == len(files)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_index_is_made_again(files, read, later, tmp_path, content):
    index = tmp_path / "index.npz"
    first = digest(index, files)
    index.write_bytes(content)
    assert digest(index, files) == first
    read.clear()
    assert digest(index, files) == first
    assert not read


def test_a_file_that_is_gone_is_no_longer_known(files, later, tmp_path):
    digest(tmp_path / "index.npz", files)
    files[0].unlink()
    gone = digest(tmp_path / "index.npz", files)
    assert gone == FileDigests().of(files)
    assert len(FileDigests(tmp_path / "index.npz").load()._known) == len(files) - 1


def test_fingerprints_of_a_folder_do_not_depend_on_its_index(write_folder, read, later, tmp_path):
    def fingerprints(source):
        return [
            f(s) for s in ("train", "val") for f in (source.fingerprint, source.mask_fingerprint)
        ]

    root = write_folder(masks=True)
    expected = fingerprints(Folder(root))
    for count in (18, 0):
        read.clear()
        source = Folder(root)
        source.keep_index(tmp_path / "index")
        assert fingerprints(source) == expected
        assert len(read) == count


def test_a_reader_reads_without_items(write_folder):
    source = Folder(write_folder(masks=True))
    (item, *_) = source.items("train")
    reader = source.reader
    assert len(reader.items("train")) == len(reader.items("val")) == 0
    assert (reader.read_image(item) == source.read_image(item)).all()
    assert (reader.read_mask(item) == source.read_mask(item)).all()
    assert len(source.items("train")) > 1
