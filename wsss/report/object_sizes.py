"""How results depend on the size of objects: the pixels of one class in one image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL
from wsss.metrics.confusion import iou_per_label, void_as_background

EDGES = (0.01, 0.04, 0.16, 0.36)
"""Shares of the image's pixels between which objects are counted together: sides of a tenth, a
fifth, two and three fifths of the image's."""
NAMES = ("under 1 %", "1–4 %", "4–16 %", "16–36 %", "over 36 %")


@dataclass(frozen=True, slots=True)
class SizeBin:
    """Objects of about the same size."""

    name: str
    count: int
    iou: float | None
    """Mean over the objects; None without any."""


class SizeTally:
    """Adds up the IoU of objects by their true size (oracle)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts = np.zeros(len(NAMES), dtype=np.int64)
        self.sums = np.zeros(len(NAMES))

    def add(self, counts: Int64[np.ndarray, "c1 c2"]) -> None:
        """Count the objects of one image.

        Args:
            counts: its pixels by true label (row) and predicted one; the last column is void.
        """
        square = void_as_background(counts)
        true = square.sum(axis=1)
        shown = np.flatnonzero(true)
        shown = shown[shown != BACKGROUND_LABEL]
        places = np.searchsorted(EDGES, true[shown] / max(1, true.sum()), side="right")
        np.add.at(self.counts, places, 1)
        np.add.at(self.sums, places, iou_per_label(square)[shown])

    def bins(self) -> tuple[SizeBin, ...]:
        """The mean IoU of each size, small objects first."""
        return tuple(
            SizeBin(name, int(count), float(total / count) if count else None)
            for name, count, total in zip(NAMES, self.counts, self.sums, strict=True)
        )


class RegionTally:
    """Counts the regions that masks have of each size, without ground truth."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts = np.zeros(len(NAMES), dtype=np.int64)

    def add(self, pixels: Mapping[int, int]) -> None:
        """Count the classes of one mask.

        Args:
            pixels: by mask value.
        """
        total = max(1, sum(pixels.values()))
        for label, count in pixels.items():
            if label not in (BACKGROUND_LABEL, VOID_LABEL) and count:
                self.counts[int(np.searchsorted(EDGES, count / total, side="right"))] += 1

    def bins(self) -> tuple[SizeBin, ...]:
        """The number of regions of each size, small ones first."""
        return tuple(
            SizeBin(name, int(n), None) for name, n in zip(NAMES, self.counts, strict=True)
        )
