"""Seeds: class activation maps of images' tags."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, UInt16

from wsss.artifacts.checksums import as_written
from wsss.artifacts.store import Named, Store
from wsss.artifacts.whole_files import atomic, opened

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


class SeedStore(Store):
    """A folder of seeds: `<id>.npz` with `classes`, `maps`, `size`; no pickle.

    Deflated without loss: most of a map is zero or smooth, which takes 0.8 of 2 bytes a value.
    """

    suffix = ".npz"
    kind = "seeds"
    stage = SEED_STAGES[-1]

    def write(self, item: Named, seeds: Seeds) -> None:
        """Write the seeds of an item."""
        size = np.array(seeds.size, dtype=np.int32)
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, classes=seeds.labels, maps=seeds.maps, size=size)

    def read(self, item: Named) -> Seeds:
        """Read the seeds of an item.

        Raises:
            WsssError: there are no seeds of this item.
            DamagedFileError: they cannot be read.
        """
        path = self.there(item)
        with as_written(path), opened(path) as content:
            height, width = (int(side) for side in content["size"])
            return Seeds(content["classes"], content["maps"], (height, width))


def seed_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the seeds of an image of `height` × `width` pixels."""
    return (height - 1) // SEED_STRIDE + 1, (width - 1) // SEED_STRIDE + 1
