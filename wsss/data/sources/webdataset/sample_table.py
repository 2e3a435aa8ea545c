"""What is known of samples in shards, in arrays."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from wsss.data.sources.file_digests import DIGEST_BYTES, NO_DIGEST
from wsss.data.sources.label_table import Label, LabelTable
from wsss.data.texts import Texts


class Part(NamedTuple):
    """A file in a shard: its first byte, and its size in bytes."""

    start: int
    size: int


NO_PART = Part(0, 0)
"""No file: a shard begins with a header."""


class Sample(NamedTuple):
    """A sample in a shard."""

    key: str
    labels: tuple[Label, ...]
    ending: str
    """Of the image."""
    image: Part
    mask: Part
    """`NO_PART` where there is none."""
    image_digest: bytes
    mask_digest: bytes
    """`NO_DIGEST` where there is none."""


class SampleTable:
    """Samples in arrays, at a hundred bytes each."""

    def __init__(self) -> None:
        self.keys = Texts()
        self.labels = LabelTable()
        self._endings: dict[str, int] = {}
        """Numbers of the endings of images."""
        self._parts = array("q")
        """Number of the ending, and image and mask: five numbers a sample."""
        self._digests = bytearray()
        """Of image and mask; zeros where there is none."""

    @property
    def endings(self) -> tuple[str, ...]:
        """The different endings of images."""
        return (*self._endings,)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.keys)

    def append(self, one: Sample) -> None:
        """Add a sample."""
        self.keys.append(one.key)
        self.labels.append(one.labels)
        ending = self._endings.setdefault(one.ending, len(self._endings))
        self._parts.extend((ending, *one.image, *one.mask))
        self._digests += one.image_digest
        self._digests += bytes(DIGEST_BYTES) if one.mask == NO_PART else one.mask_digest

    def parts(self, row: int) -> tuple[int, ...]:
        """Number of the ending of the image, and begin and size of image and mask."""
        return tuple(self._parts[5 * row : 5 * row + 5])

    def digests(self, rows: Iterable[int], masks: bool = False) -> Iterator[bytes]:
        """The `sample` of each image, or mask, of some; `NO_DIGEST` where there is none."""
        for row in rows:
            start = DIGEST_BYTES * (2 * row + masks)
            there = not masks or self._parts[5 * row + 3]
            yield bytes(self._digests[start : start + DIGEST_BYTES]) if there else NO_DIGEST

    def rows(self, rows: range) -> Iterator[Sample]:
        """Some samples, one after another."""
        endings = self.endings
        columns = (self.labels.rows(rows), self.digests(rows), self.digests(rows, masks=True))
        for row, labels, *digests in zip(rows, *columns, strict=True):
            ending, *parts = self.parts(row)
            image, mask = Part(*parts[:2]), Part(*parts[2:])
            yield Sample(self.keys[row], labels, endings[ending], image, mask, *digests)

    def arrays(self) -> Mapping[str, np.ndarray]:
        """The table as arrays."""
        keys, key_starts = self.keys.arrays()
        labels, label_starts = self.labels.arrays()
        words = {"labels": self.labels.different, "endings": self.endings}
        return {
            "keys": keys,
            "key_starts": key_starts,
            "labels": labels,
            "label_starts": label_starts,
            "parts": np.array(self._parts, dtype=np.int64).reshape(-1, 5),
            "digests": np.frombuffer(bytes(self._digests), np.uint8).reshape(-1, 2 * DIGEST_BYTES),
            "words": np.frombuffer(json.dumps(words).encode(), dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, content: Mapping[str, np.ndarray]) -> "SampleTable":
        """The table that `arrays` gave.

        Raises:
            ValueError: the arrays do not fit together.
        """
        words: Any = json.loads(content["words"].tobytes())
        table = cls()
        table.keys = Texts.from_arrays(content["keys"], content["key_starts"])
        labels, starts = content["labels"], content["label_starts"]
        table.labels = LabelTable.from_arrays(words["labels"], labels, starts)
        table._endings = {ending: number for number, ending in enumerate(words["endings"])}
        table._parts.frombytes(content["parts"].tobytes())
        table._digests += content["digests"].tobytes()
        columns = (table.keys, table.labels, content["parts"], content["digests"])
        if len({len(one) for one in columns}) != 1:
            raise ValueError("arrays of different lengths")
        return table
