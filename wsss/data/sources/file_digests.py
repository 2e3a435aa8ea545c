"""Digests of many files, which need not be read again while their sizes and times stay."""

import os
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64, UInt8

from wsss.artifacts import atomic, opened
from wsss.data.texts import TextIndex, Texts
from wsss.files import intact

SAMPLED_BYTES = 4096
"""Bytes hashed at both ends of a file."""
DIGEST_BYTES = 16
NO_DIGEST = b"none"
"""What stands for the digest of no file."""
SETTLED_S = 2.0
"""A file that changed less than this before it was read may change again within the clock's tick of
its file system, up to two seconds: it is read again."""

State = tuple[int, int, int]
"""Size in bytes, times of the last change of content and of attributes in nanoseconds."""


class _Notes:
    """State and digest of files, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.names = Texts()
        self.states = array("q")
        self.digests = bytearray()
        self._next = 0

    def __len__(self) -> int:
        """Number of files."""
        return len(self.names)

    def add(self, name: str, state: State, digest: bytes) -> None:
        """Note a file."""
        self.names.append(name)
        self.states.extend(state)
        self.digests += digest

    def digest(self, name: str, state: State) -> bytes | None:
        """The digest of a file in a state; None if it is not known.

        Files are asked for in one order in all runs: it is found without a search but where some
        were added or removed.
        """
        row = self._next
        if row >= len(self) or self.names[row] != name:
            if (found := self._index.find(name)) is None:
                return None
            row = found
        self._next = row + 1
        if tuple(self.states[3 * row : 3 * row + 3]) != state:
            return None
        return bytes(self.digests[DIGEST_BYTES * row : DIGEST_BYTES * (row + 1)])

    @cached_property
    def _index(self) -> TextIndex:
        return TextIndex(self.names)

    def __eq__(self, other: object) -> bool:
        """Whether the same is known of the same files, in the same order."""
        if not isinstance(other, _Notes):
            return NotImplemented
        return (self.states, self.digests) == (other.states, other.digests) and all(
            map(str.__eq__, self.names, other.names)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(slots=True)
class FileDigests:
    """Digests of the files of a data set, kept in a file from one run to the next.

    The time of the last change of attributes, which no program sets, is part of a file's state: a
    copy with the time and size of the original is read, too.
    """

    path: Path | None = None
    """An `.npz` file; None keeps nothing."""
    _known: _Notes = field(default_factory=_Notes)
    _found: _Notes = field(default_factory=_Notes)

    def load(self) -> "FileDigests":
        """Take what the file knows; one that is damaged or missing knows nothing."""
        if self.path is None or not self.path.is_file():
            return self
        known = _Notes()
        try:
            with intact(self.path), opened(self.path) as content:
                states: Int64[np.ndarray, "n 3"] = content["states"]
                digests: UInt8[np.ndarray, "n 16"] = content["digests"]
                for name in content["names"].tobytes().split(b"\0"):
                    known.names.append(os.fsdecode(name))
                known.states.frombytes(states.tobytes())
                known.digests += digests.tobytes()
                if not len(known) == len(states) == len(digests):
                    raise ValueError("arrays of different lengths")
        except Exception:  # An index is no result: it is made again, whatever is wrong with it.
            return self
        self._known = known
        return self

    def save(self) -> None:
        """Write the digests of the files that were asked for, if others are known."""
        found = self._found
        if self.path is None or not len(found) or found == self._known:
            return
        names = b"\0".join(os.fsencode(name) for name in found.names)
        with atomic(self.path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                names=np.frombuffer(names, dtype=np.uint8),
                states=np.array(found.states, dtype=np.int64).reshape(-1, 3),
                digests=np.frombuffer(found.digests, dtype=np.uint8).reshape(-1, DIGEST_BYTES),
            )
        self._known, self._found = found, _Notes()

    def of(self, paths: Iterable[str | Path | None]) -> str:
        """Hash of the contents of files, in their order.

        Hashed are size, first and last 4 KiB of each file, independent of paths and times; 100,000
        images take seconds. Edits in the middle that keep the size are missed: in BMP, plain TIFF
        and plain DICOM, and damage of compressed files.
        """
        digest = blake2b(digest_size=DIGEST_BYTES)
        for path in paths:
            digest.update(self._sample(str(path)) if path else NO_DIGEST)
        return digest.hexdigest()

    def _sample(self, path: str) -> bytes:
        """Hash of a file's size and both ends; a constant if it cannot be read."""
        if self.path is None or (state := state_of(path)) is None:
            return sample_file(path)
        known = self._known.digest(path, state)
        sample = sample_file(path) if known is None else known
        if len(sample) == DIGEST_BYTES and (known is not None or is_settled(state)):
            self._found.add(path, state, sample)
        return sample


def state_of(path: str | Path) -> State | None:
    """The state of a file; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 – paths would take half of the time
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_settled(state: State) -> bool:
    """Whether a file cannot change any more without another state."""
    return max(state[1:]) < time.time_ns() - SETTLED_S * 1e9


def sample_file(path: str | Path) -> bytes:
    """Hash of a file's size and both ends; a constant if it cannot be read."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 – likewise
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
