"""Digests of many files, which need not be read again while their sizes and times stay."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64, UInt8

from wsss.artifacts import atomic, opened
from wsss.files import intact

SAMPLED_BYTES = 4096
"""Bytes hashed at both ends of a file."""
DIGEST_BYTES = 16
SETTLED_S = 2.0
"""A file that changed less than this before it was read may change again within the clock's tick of
its file system, up to two seconds: it is read again."""

State = tuple[int, int, int]
"""Size in bytes, times of the last change of content and of attributes in nanoseconds."""


@dataclass(slots=True)
class FileDigests:
    """Digests of the files of a data set, kept in a file from one run to the next.

    The time of the last change of attributes, which no program sets, is part of a file's state: a
    copy with the time and size of the original is read, too.
    """

    path: Path | None = None
    """An `.npz` file; None keeps nothing."""
    _known: dict[bytes, tuple[State, bytes]] = field(default_factory=dict)
    _found: dict[bytes, tuple[State, bytes]] = field(default_factory=dict)

    def load(self) -> "FileDigests":
        """Take what the file knows; one that is damaged or missing knows nothing."""
        if self.path is None or not self.path.is_file():
            return self
        try:
            with intact(self.path), opened(self.path) as content:
                names = content["names"].tobytes().split(b"\0")
                states: Int64[np.ndarray, "n 3"] = content["states"]
                digests: UInt8[np.ndarray, "n 16"] = content["digests"]
                rows = zip(names, map(tuple, states.tolist()), map(bytes, digests), strict=True)
                self._known = {name: (state, digest) for name, state, digest in rows}
        except Exception:  # An index is no result: it is made again, whatever is wrong with it.
            self._known = {}
        return self

    def save(self) -> None:
        """Write the digests of the files that were asked for, if others are known."""
        if self.path is None or self._found == self._known or not self._found:
            return
        states, digests = zip(*self._found.values(), strict=True)
        with atomic(self.path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                names=np.frombuffer(b"\0".join(self._found), dtype=np.uint8),
                states=np.array(states, dtype=np.int64),
                digests=np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST_BYTES),
            )
        self._known = dict(self._found)

    def of(self, paths: Iterable[Path | None]) -> str:
        """Hash of the contents of files, in their order.

        Hashed are size, first and last 4 KiB of each file, independent of paths and times; 100,000
        images take seconds. Edits in the middle that keep the size are missed: in BMP, plain TIFF
        and plain DICOM, and damage of compressed files.
        """
        digest = blake2b(digest_size=DIGEST_BYTES)
        for path in paths:
            digest.update(self._sample(path) if path else b"none")
        return digest.hexdigest()

    def _sample(self, path: Path) -> bytes:
        """Hash of a file's size and both ends; a constant if it cannot be read."""
        if self.path is None:
            return sample_file(path)
        try:
            found = path.stat()
        except OSError:
            return sample_file(path)
        state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        name = os.fsencode(path)
        if (known := self._known.get(name)) is not None and known[0] == state:
            self._found[name] = known
            return known[1]
        sample = sample_file(path)
        if len(sample) == DIGEST_BYTES and max(state[1:]) < time.time_ns() - SETTLED_S * 1e9:
            self._found[name] = state, sample
        return sample


def sample_file(path: Path) -> bytes:
    """Hash of a file's size and both ends; a constant if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return sample_part(stream, 0, stream.seek(0, os.SEEK_END))
    except OSError:
        return b"unreadable"


def sample_part(stream: BinaryIO, start: int, size: int) -> bytes:
    """Hash of the size and both ends of a part of a file, as of a file of that part alone."""
    stream.seek(start)
    head = stream.read(min(size, SAMPLED_BYTES))
    last = min(size, SAMPLED_BYTES)
    stream.seek(start + size - last)
    return sample(size, head, stream.read(last))


def sample(size: int, head: bytes, tail: bytes) -> bytes:
    """Hash of a size in bytes, and of the first and last 4 KiB."""
    return blake2b(b"%d\n" % size + head + tail, digest_size=DIGEST_BYTES).digest()
