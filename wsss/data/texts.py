"""Many strings in one block of memory."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import overload
from zlib import crc32

import numpy as np
from jaxtyping import Int64, UInt8

ANY = "surrogatepass"
"""File names that are not UTF-8 are among the strings, too."""


class Texts(Sequence[str]):
    """Strings at eight bytes each besides their characters, where a list takes sixty."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._block = bytearray()
        self._starts = array("q", [0])
        for text in texts:
            self.append(text)

    @classmethod
    def from_arrays(
        cls, block: UInt8[np.ndarray, " b"], starts: Int64[np.ndarray, " n"]
    ) -> "Texts":
        """The strings that `arrays` gave."""
        texts = cls()
        texts._block = bytearray(block.tobytes())
        texts._starts = array("q", starts.tobytes())
        return texts

    def arrays(self) -> tuple[UInt8[np.ndarray, " b"], Int64[np.ndarray, " n"]]:
        """The characters of all strings in UTF-8, and where each begins, and the last ends."""
        return np.frombuffer(bytes(self._block), np.uint8), np.array(self._starts, dtype=np.int64)

    def append(self, text: str) -> None:
        """Add a string at the end."""
        self._block += text.encode(errors=ANY)
        self._starts.append(len(self._block))

    def __len__(self) -> int:
        """Number of strings."""
        return len(self._starts) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        """A string, or a list of some."""
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        if row < 0:
            row = range(len(self))[row]
        return self._block[self._starts[row] : self._starts[row + 1]].decode(errors=ANY)

    def __iter__(self) -> Iterator[str]:
        """All strings."""
        start = 0
        for end in islice(self._starts, 1, None):
            yield self._block[start:end].decode(errors=ANY)
            start = end


class TextIndex:
    """Finds the position of a string among many, at twelve bytes each."""

    def __init__(self, texts: Texts) -> None:
        """Index strings that differ."""
        self.texts = texts
        sums = np.fromiter(map(_check_sum, texts), dtype=np.uint32, count=len(texts))
        order = np.argsort(sums, kind="stable")
        self._sums = array("I", sums[order].tobytes())
        self._rows = array("q", order.astype(np.int64).tobytes())

    def find(self, text: str) -> int | None:
        """The position of a string; None if it is not among them."""
        wanted = _check_sum(text)
        place = bisect_left(self._sums, wanted)
        while place < len(self._sums) and self._sums[place] == wanted:
            if self.texts[row := self._rows[place]] == text:
                return row
            place += 1
        return None


def _check_sum(text: str) -> int:
    return crc32(text.encode(errors=ANY))
