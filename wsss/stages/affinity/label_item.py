"""The work of the stage's CPU processes; without torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import LabelStore, Seeds, SeedStore
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.refine.confident_labels import ConfidentLabels


@dataclass(frozen=True, slots=True)
class LabelItem:
    """The labelling of one image, done in a process of its own."""

    source: Source
    seeds: SeedStore
    store: LabelStore
    labels: ConfidentLabels

    def __call__(self, item: Item, mask: UInt8[np.ndarray, "h w"] | None = None) -> None:
        """Write the labels of an item: `mask`, where it was made together with others."""
        self.store.write(item, self.labels(*self.read(item)) if mask is None else mask)

    def read(self, item: Item) -> tuple[UInt8[np.ndarray, "h w 3"], Seeds]:
        """The image of an item and its seeds."""
        return self.source.read_image(item), self.seeds.read(item)
