"""The images of the page's gallery: who is shown, and their layers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wsss.artifacts import LabelStore, StatisticsStore
from wsss.data.item_table import select
from wsss.data.sample import Item
from wsss.data.source import SPLITS, Source
from wsss.report.gallery_choice import page_sample
from wsss.report.layers import Budget, budget, encode_layers
from wsss.report.results import DoubtfulImage, Gallery
from wsss.stage_tools.context import Context
from wsss.stage_tools.evidence import evidence_of
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import process_items


@dataclass(frozen=True, slots=True)
class DrawLayers:
    """Writes the layers of an image as they will be in the page, in a CPU process."""

    source: Source
    folders: Mapping[str, Path]
    split: str
    store: StatisticsStore
    room: Budget

    def __call__(self, item: Item) -> None:
        """Draw an item."""
        evidence = replace(
            evidence_of(self.source, self.folders, self.split, item),
            truth=self.source.read_mask(item),
        )
        averaged = None
        if "evaluate" in self.folders:
            store = LabelStore(self.folders["evaluate"] / "predictions" / f"{self.split}_tta_crf")
            averaged = store.read(item) if store.has(item) else None
        further = {"prediction_tta_crf": averaged}
        self.store.write(item, encode_layers(evidence, self.room, further))


def make_gallery(
    context: Context,
    images: Sequence[DoubtfulImage],
    most: int,
    thresholds: Mapping[str, float],
) -> Gallery:
    """The gallery of all images, or of a sample where there are more than `most`.

    Args:
        context: of the stage.
        images: of both splits, in the order of the data set.
        most: images that the page has room for.
        thresholds: fixed background threshold of each kind of maps.
    """
    places = page_sample([image.doubt for image in images], most)
    chosen = [images[place] for place in places]
    room = budget(len(chosen))
    entries = [
        entry
        for split in SPLITS
        for entry in _entries(context, split, [one for one in chosen if one.split == split], room)
    ]
    return Gallery(entries, len(images), thresholds)


def _entries(
    context: Context, split: str, images: Sequence[DoubtfulImage], room: Budget
) -> Iterator[dict[str, Any]]:
    """The entries of a split; images that cannot be read, or have no result, are left out."""
    by_id = {image.item_id: image for image in images}
    store = StatisticsStore(context.folder / "layers" / split)
    items = select(context.items(split), lambda item: item.id in by_id)
    pending = select(items, lambda item: not store.has(item))
    task = DrawLayers(context.source.reader, dict(context.inputs), split, store, room)
    calls = ((item,) for item in pending)
    drawn = process_items(task, calls, context.workers, context.folder, context.measured)
    for _ in track(drawn, len(items), f"draw {split}", len(items) - len(pending)):
        pass
    for item in select(items, store.has):
        layers, image = store.read(item), by_id[item.id]
        if layers["maps"] or layers["masks"]:
            yield {
                "id": item.id,
                "split": split,
                "tags": list(item.labels),
                "doubt": image.doubt,
                "parts": dict(image.parts),
                "score": image.score,
                **layers,
            }
