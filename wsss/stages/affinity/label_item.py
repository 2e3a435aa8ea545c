"""The work of the stage's CPU processes; without torch."""

from dataclasses import dataclass

from wsss.artifacts import LabelStore, SeedStore
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

    def __call__(self, item: Item) -> None:
        """Write the labels of an item."""
        self.store.write(item, self.labels(self.source.read_image(item), self.seeds.read(item)))
