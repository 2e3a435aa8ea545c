"""Seeds: class activation maps of images' tags."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, UInt16

from wsss.artifacts.array_store import Arrays, ArrayStore

SEED_STRIDE = 4
"""Seeds are stored at this fraction of the image's side lengths."""
SEED_STAGES = ("probe", "propagate", "localize")
"""Stages that write seeds, the later one first."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Class activation maps of one image's tags."""

    labels: UInt16[np.ndarray, " n"]
    """Mask values 1…C of the tags."""
    maps: Float16[np.ndarray, "n h w"]
    """In [0, 1], at a quarter of the image's size."""
    size: tuple[int, int]
    """Height and width of the image in pixels."""


class SeedStore(ArrayStore[Seeds]):
    """A folder of seeds: `<id>.npz` with `classes`, `maps`, `size`; no pickle.

    Deflated without loss: most of a map is zero or smooth, which takes 0.8 of 2 bytes a value.
    """

    kind = "seeds"
    stage = SEED_STAGES[-1]

    def packed(self, content: Seeds) -> Arrays:
        """Labels as `classes`, maps, and the image's size."""
        size = np.array(content.size, dtype=np.int32)
        return {"classes": content.labels, "maps": content.maps, "size": size}

    def unpacked(self, arrays: Mapping[str, np.ndarray]) -> Seeds:
        """The seeds of these."""
        height, width = (int(side) for side in arrays["size"])
        return Seeds(arrays["classes"], arrays["maps"], (height, width))


def seed_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the seeds of an image of `height` × `width` pixels."""
    return (height - 1) // SEED_STRIDE + 1, (width - 1) // SEED_STRIDE + 1
