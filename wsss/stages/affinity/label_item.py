"""The work of the stage's CPU processes; without torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import LabelStore
from wsss.data.sample import Item
from wsss.refine.confident_labels import ConfidentLabels
from wsss.stage_tools.seeded_images import SeededImages


@dataclass(frozen=True, slots=True)
class LabelItem(SeededImages):
    """The labelling of one image, done in a process of its own."""

    store: LabelStore
    labels: ConfidentLabels

    def __call__(self, item: Item, mask: UInt8[np.ndarray, "h w"] | None = None) -> None:
        """Write the labels of an item: `mask`, where it was made together with others."""
        self.store.write(item, self.labels(*self.read(item)) if mask is None else mask)
