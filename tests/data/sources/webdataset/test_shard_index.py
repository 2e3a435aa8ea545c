"""The index of shards, which a later start reads in their place."""

import errno
import os

import numpy as np
import pytest

from wsss.data.source import SPLITS, TRAIN
from wsss.data.sources.webdataset import WebDataset, shard_index
from wsss.errors import WsssError
from wsss.files import StorageError

wds = pytest.importorskip("webdataset")

SAMPLES = {
    "train-000": {"cats/a": ["cat"], "cats/b": ["cat", "dog"], "ü": []},
    "train-001": {"c": ["dog"], "d": ["dog", "cow"]},
    "val-000": {"e": ["cat"], "f": ["cow"]},
}


def write(path, samples, salt=b""):
    """A shard, by the library's own writer; every second sample has a mask."""
    with wds.TarWriter(str(path)) as shard:
        for number, (key, labels) in enumerate(samples.items()):
            files = {"__key__": key, "json": {"labels": labels}, "JPG": key.encode() * 99 + salt}
            shard.write(files | ({"mask.png": b"mask" + salt} if number % 2 else {}))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, samples in SAMPLES.items():
        write(folder / f"{name}.tar", samples)
    return folder


@pytest.fixture
def read(monkeypatch):
    """Names of the shards that were read."""
    names = []
    read_shard = shard_index.read_shard

    def noted(shard, endings):
        names.append(shard.stem)
        return read_shard(shard, endings)

    monkeypatch.setattr(shard_index, "read_shard", noted)
    return names


def known(source):
    """All that a source knows, and what it reads of each item."""
    return [
        source.class_names,
        *(
            (source.fingerprint(split), source.mask_fingerprint(split), [*source.items(split)])
            for split in SPLITS
        ),
        [
            (source._image(one), source._mask(one))
            for split in SPLITS
            for one in source.items(split)
        ],
    ]


def started(root, index, **options):
    source = WebDataset(root, **options)
    source.keep_index(index)
    return source


def test_an_index_knows_what_is_in_the_shards(root):
    source = WebDataset(root)
    assert source.class_names == ("cat", "cow", "dog")
    found = [(one.id, one.labels) for one in source.items(TRAIN)]
    assert found == [("cats/a", (1,)), ("cats/b", (1, 3)), ("ü", ()), ("c", (3,)), ("d", (2, 3))]
    (item,) = (one for one in source.items(TRAIN) if one.id == "d")
    assert source._image(item) == (b"d" * 99, f"{root}/train-001.tar/d.JPG")
    assert source._mask(item) == (b"mask", f"{root}/train-001.tar/d.mask.png")
    assert source._mask(source.items(TRAIN)[0]) is None


def test_shards_are_read_once(root, read, later, tmp_path):
    expected = known(WebDataset(root))
    assert read == [*SAMPLES]
    for names in ([*SAMPLES], [], []):
        read.clear()
        assert known(started(root, tmp_path / "index")) == expected
        assert read == names


def test_a_split_by_keys_is_kept_as_well(root, read, later, tmp_path):
    options = {"train": "*.tar", "val": None}
    expected = known(WebDataset(root, **options))
    started(root, tmp_path / "index", **options)
    read.clear()
    assert known(started(root, tmp_path / "index", **options)) == expected
    assert not read
    started(root, tmp_path / "index")
    assert read == [*SAMPLES]


def test_changed_new_and_removed_shards_alone_are_read(root, read, later, tmp_path):
    before = known(started(root, tmp_path / "index"))
    changed = root / "train-001.tar"
    old = changed.stat()
    write(changed, {"c": ["cow"], "d": ["dog", "cow"]})
    assert changed.stat().st_size == old.st_size
    os.utime(changed, ns=(old.st_atime_ns, old.st_mtime_ns))
    (root / "train-000.tar").unlink()
    write(root / "train-002.tar", {"g": ["bee"]})
    read.clear()
    after = known(started(root, tmp_path / "index"))
    assert read == ["train-001", "train-002"]
    assert before != after == known(WebDataset(root))
    read.clear()
    assert known(started(root, tmp_path / "index")) == after
    assert not read


def test_a_shard_that_changed_just_now_is_read_again(root, read, tmp_path):
    """Within a tick of its file system's clock it may change without another time."""
    expected = known(WebDataset(root))
    for _ in range(2):
        read.clear()
        assert known(started(root, tmp_path / "index")) == expected
        assert read == [*SAMPLES]


class Harmful:
    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def flipped(content):
    middle = content.index(b"cats/a") + 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"no archive", lambda content: content[:-100], flipped, None],
    ids=["empty", "no archive", "cut", "flipped", "pickle"],
)
def test_a_damaged_index_is_made_again(root, read, later, tmp_path, damage):
    expected = known(started(root, tmp_path / "index"))
    (index,) = (tmp_path / "index").iterdir()
    if damage is None:
        np.savez(index, shards=np.array([Harmful()], dtype=object))
    else:
        index.write_bytes(damage(index.read_bytes()))
    for names in ([*SAMPLES], []):
        read.clear()
        assert known(started(root, tmp_path / "index")) == expected
        assert read == names


def test_an_index_is_written_whole_or_not_at_all(root, later, tmp_path, monkeypatch):
    def full(stream, **_):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shard_index.np, "savez", full)
        with pytest.raises(StorageError, match="No space left"):
            started(root, tmp_path / "index")
    assert not any((tmp_path / "index").iterdir())
    assert known(started(root, tmp_path / "index")) == known(WebDataset(root))


def test_what_was_read_is_kept_though_a_label_is_wrong(root, read, later, tmp_path):
    (root / "classes.txt").write_text("background\ncat\ndog\n", encoding="utf-8")
    for names in ([*SAMPLES], []):
        read.clear()
        with pytest.raises(WsssError, match="sample 'd': the label 'cow'"):
            started(root, tmp_path / "index")
        assert read == names


def test_a_key_in_two_shards_is_told_from_the_index_as_well(root, later, tmp_path):
    started(root, tmp_path / "index")
    write(root / "val-001.tar", {"c": ["cat"]})
    with pytest.raises(WsssError, match=r"val-001\.tar: the sample 'c' is in another shard"):
        started(root, tmp_path / "index")


@pytest.mark.parametrize(
    "train", ["pipe:cat a.tar", "https://example.org/a-{0..3}.tar", "/data/a.tar"]
)
def test_shards_elsewhere_are_refused_in_words(root, train):
    with pytest.raises(WsssError, match="names of files below the folder of the shards"):
        WebDataset(root, train=train)
