"""Checksums of a finished stage's files, compared whenever one of them is read.

They are lines of `b2sum --length=64`, which checks a folder by itself:
`b2sum --check checksums.b2sum`.
"""

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from wsss.artifacts.digests import content_digest, file_digest
from wsss.artifacts.whole_files import atomic
from wsss.files import intact
from wsss.machine.cores import usable_cores

CHECKSUMS = "checksums.b2sum"
UNLISTED = {"checkpoints", "curves", "features"}
"""Folders of what no other stage is made of."""
DEPTH = 3
"""How far below its stage's folder a file lies at most, itself included."""


def write_checksums(folder: Path, **written_next: bytes) -> None:
    """Write `checksums.b2sum`: a line for each file of a stage, in the order of their paths.

    Args:
        folder: the stage's, in which nothing else changes any more.
        written_next: contents of files that follow, by name without `.json`.
    """
    names = {f"{name}.json": content_digest(one) for name, one in written_next.items()}
    paths = [path for path in _files(folder) if path.name not in {CHECKSUMS, *names}]
    with ThreadPoolExecutor(usable_cores()) as threads:
        digests = threads.map(file_digest, paths)
        names |= {_name(path, folder): one for path, one in zip(paths, digests, strict=True)}
    lines = sorted((os.fsencode(name), digest) for name, digest in names.items())
    with atomic(folder / CHECKSUMS) as temporary, temporary.open("wb") as stream:
        stream.writelines(b"%s  %s\n" % (digest.encode(), name) for name, digest in lines)


@contextmanager
def as_written(path: Path) -> Iterator[None]:
    """Read a file in the block, if it is what its stage wrote; errors of libraries name it.

    Of a stage that goes on, or that an earlier version finished, there are no checksums.

    Raises:
        DamagedFileError: it cannot be read, though it is there, or has another checksum.
    """
    with intact(path):
        folder = next((one for one in path.parents[:DEPTH] if (one / CHECKSUMS).is_file()), None)
        if folder is not None:
            noted = _noted(folder / CHECKSUMS, os.fsencode(_name(path, folder)))
            if noted is not None and noted != file_digest(path):
                raise ValueError("other bytes than those that were written")
        yield


def changed_files(folder: Path) -> list[Path]:
    """The files of a stage that are there with other bytes than those that were written."""
    lines = (folder / CHECKSUMS).read_bytes().splitlines() if _has_checksums(folder) else []
    noted = {}
    for line in lines:
        digest, _, name = line.partition(b"  ")
        noted[folder / os.fsdecode(name)] = digest.decode(errors="replace")
    paths = [path for path in noted if path.is_file()]
    with ThreadPoolExecutor(usable_cores()) as threads:
        found = threads.map(file_digest, paths)
        return [path for path, one in zip(paths, found, strict=True) if one != noted[path]]


def _has_checksums(folder: Path) -> bool:
    return (folder / CHECKSUMS).is_file()


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in UNLISTED]
        yield from (Path(path, name) for name in names)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _noted(table: Path, name: bytes) -> str | None:
    """The checksum of a file, found by bisection: of 200,000 files few lines are read."""
    with table.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        low, high = 0, len(text)
        while low < high:
            middle = (low + high) // 2
            start = text.rfind(b"\n", low, middle) + 1 or low
            end = text.find(b"\n", middle)
            end = len(text) if end < 0 else end
            digest, _, found = text[start:end].partition(b"  ")
            if found == name:
                return digest.decode(errors="replace")
            low, high = (end + 1, high) if found < name else (low, start)
    return None
