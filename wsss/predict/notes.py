"""Notes of finished images, from which tables are made once all are there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from wsss.artifacts import read_json, write_json
from wsss.artifacts.store import Named, Store

ROWS_AT_ONCE = 256
"""Of a mask, whose labels are counted as eight bytes each."""


class NoteStore(Store):
    """A folder of notes: `<id>.json`."""

    suffix = ".json"
    kind = "note"
    stage = "predict"

    def write(self, item: Named, note: dict[str, Any]) -> None:
        """Write the note of an image."""
        write_json(self.path(item), note)

    def read(self, item: Named) -> dict[str, Any]:
        """Read the note of an image.

        Raises:
            WsssError: there is none.
            DamagedFileError: it cannot be read.
        """
        note: dict[str, Any] = read_json(self.there(item))
        return note


@dataclass(slots=True)
class Confidences:
    """Mean probability of each label over the pixels that have it."""

    sums: Float[np.ndarray, " 256"]
    counts: Float[np.ndarray, " 256"]

    @classmethod
    def none(cls) -> "Confidences":
        """Of no pixel yet."""
        return cls(np.zeros(256), np.zeros(256))

    def add(
        self,
        chosen: UInt8[np.ndarray, "h w"],
        labels: UInt8[np.ndarray, " n"],
        probabilities: Float[np.ndarray, "n h w"],
    ) -> None:
        """Add pixels.

        Args:
            chosen: their labels.
            labels: those of the probabilities.
            probabilities: of each label at each pixel.
        """
        for label, plane in zip(labels.tolist(), probabilities, strict=True):
            here = plane[chosen == label]
            self.sums[label] += here.sum(dtype=np.float64)
            self.counts[label] += here.size

    def of(self, label: int) -> float | None:
        """The mean in [0, 1]; None where no probability of this label is known."""
        return round(self.sums[label] / self.counts[label], 4) if self.counts[label] else None


def image_note(
    image: str, mask: UInt8[np.ndarray, "h w"], confidences: Confidences, num_tiles: int
) -> dict[str, Any]:
    """What tables say about an image.

    Args:
        image: its path, as it was given.
        mask: the predicted labels.
        confidences: of the labels.
        num_tiles: in how many tiles it was seen; 1 as a whole.
    """
    counts = label_counts(mask)
    return {
        "image": image,
        "height": mask.shape[0],
        "width": mask.shape[1],
        "tiles": num_tiles,
        "labels": [
            {"label": int(label), "pixels": int(counts[label]), "confidence": confidences.of(label)}
            for label in np.flatnonzero(counts).tolist()
        ],
    }


def label_counts(mask: UInt8[np.ndarray, "h w"]) -> np.ndarray:
    """Number of pixels of each label 0…255."""
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, mask.shape[0], ROWS_AT_ONCE):
        counts += np.bincount(mask[start : start + ROWS_AT_ONCE].ravel(), minlength=256)
    return counts
