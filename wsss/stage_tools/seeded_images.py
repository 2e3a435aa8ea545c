"""What makes a mask of an image: the image and its seeds; without torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import Seeds, SeedStore
from wsss.data.sample import Item
from wsss.data.source import Source


@dataclass(frozen=True, slots=True)
class SeededImages:
    """Reads images with their seeds, in any process."""

    source: Source
    seeds: SeedStore

    def read(self, item: Item) -> tuple[UInt8[np.ndarray, "h w 3"], Seeds]:
        """The image of an item, RGB, and its seeds."""
        return self.source.read_image(item), self.seeds.read(item)
