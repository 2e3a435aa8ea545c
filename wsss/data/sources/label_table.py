"""Labels of many samples, in arrays."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

Label = str | int
"""The name of a class, or its index from 0."""


class LabelTable:
    """Labels of samples as numbers of those that differ, at some twelve bytes a sample."""

    def __init__(self) -> None:
        self._numbers: dict[Label, int] = {}
        self._of_samples = array("I")
        """Numbers of labels, those of one sample after those of another."""
        self._starts = array("q", [0])

    @property
    def different(self) -> Sequence[Label]:
        """All labels, once each."""
        return [*self._numbers]

    def append(self, labels: Iterable[Label]) -> None:
        """Add the labels of a sample."""
        numbers = self._numbers
        self._of_samples.extend(numbers.setdefault(one, len(numbers)) for one in labels)
        self._starts.append(len(self._of_samples))

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[tuple[Label, ...]]:
        """The labels of each sample."""
        return self.rows(range(len(self)))

    def rows(self, rows: range) -> Iterator[tuple[Label, ...]]:
        """The labels of some samples, one after another."""
        different = self.different
        for start, end in pairwise(self._starts[rows.start : rows.stop + 1]):
            yield tuple(different[number] for number in self._of_samples[start:end])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of all labels, and where those of each sample begin, and the last end."""
        return np.array(self._of_samples, dtype=np.uint32), np.array(self._starts, dtype=np.int64)

    @classmethod
    def from_arrays(
        cls, different: Iterable[Label], of_samples: np.ndarray, starts: np.ndarray
    ) -> "LabelTable":
        """The table of these labels that `arrays` gave."""
        table = cls()
        table._numbers = {label: number for number, label in enumerate(different)}
        table._of_samples = array("I", of_samples.tobytes())
        table._starts = array("q", starts.tobytes())
        return table
