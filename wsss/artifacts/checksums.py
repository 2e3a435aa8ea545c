"""Checksums of a finished stage's files, compared whenever one of them is read.

They are lines of `b2sum --length=64`, which checks a folder by itself:
`b2sum --check checksums.b2sum`.
"""

import mmap
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice, tee
from pathlib import Path

from wsss.artifacts.digests import content_digest, file_digest
from wsss.artifacts.whole_files import atomic
from wsss.files import intact
from wsss.machine.cores import usable_cores

CHECKSUMS = "checksums.b2sum"
UNLISTED = {"checkpoints", "curves", "features"}
"""Folders of what no other stage is made of."""
TOGETHER = 256
"""Files that threads are given at once: memory does not grow with their number."""
DEPTH = 3
"""How far below its stage's folder a file lies at most, itself included."""


def write_checksums(folder: Path, **written_next: bytes) -> None:
    """Write `checksums.b2sum`: a line for each file of a stage, in the order of their paths.

    Args:
        folder: the stage's, in which nothing else changes any more.
        written_next: contents of files that follow, by name without `.json`.
    """
    known = {f"{name}.json": content_digest(one) for name, one in written_next.items()}
    names = sorted({*map(os.fsencode, known), *_names(folder)} - {CHECKSUMS.encode()})
    unknown = (name for name in names if os.fsdecode(name) not in known)
    found = _digests(folder, unknown)
    with atomic(folder / CHECKSUMS) as temporary, temporary.open("wb") as stream:
        for name in names:
            digest = known.get(os.fsdecode(name)) or next(found)
            stream.write(b"%s  %s\n" % (digest.encode(), name))


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
    if not (folder / CHECKSUMS).is_file():
        return []

    def there() -> Iterator[tuple[str, bytes]]:
        with (folder / CHECKSUMS).open("rb") as lines:
            for line in lines:
                digest, _, name = line.rstrip(b"\n").partition(b"  ")
                if name and (folder / os.fsdecode(name)).is_file():
                    yield digest.decode(errors="replace"), name

    noted, again = tee(there())
    found = _digests(folder, (name for _, name in again))
    return [
        folder / os.fsdecode(name)
        for (digest, name), now in zip(noted, found, strict=True)
        if digest != now
    ]


def _digests(folder: Path, names: Iterable[bytes]) -> Iterator[str]:
    """The digests of files below a folder, some at a time, in their order."""
    waiting = iter(names)
    with ThreadPoolExecutor(usable_cores()) as threads:
        while some := [folder / os.fsdecode(name) for name in islice(waiting, TOGETHER)]:
            yield from threads.map(file_digest, some)


def _names(folder: Path) -> Iterator[bytes]:
    """The paths of all files that count, relative to their stage's folder."""
    for path, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in UNLISTED]
        for name in names:
            yield os.fsencode(_name(Path(path, name), folder))


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
