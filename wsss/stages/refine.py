"""Turn seeds into pseudo masks."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import METRICS, LabelStore, Seeds, SeedStore, write_json
from wsss.data.sample import Item
from wsss.data.source import TRAIN, Source
from wsss.refine.pseudo_label import upsample
from wsss.refine.refinement import Refinement
from wsss.refine.regions import restore_vanished_tags, void_small_regions
from wsss.refine.thresholds import FixedThreshold
from wsss.stages.background import fit_to_data_set
from wsss.stages.context import Context
from wsss.stages.items import ITEM_ERRORS, attempt, check_failures, process_items
from wsss.stages.mask_statistics import StatisticsStore, summarise_masks
from wsss.stages.progress import track

VERSION = 3
INPUTS = ("localize", "propagate")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "foreground_fraction"


@dataclass(frozen=True, slots=True)
class RefineItem:
    """The work on one image, done in a process of its own."""

    source: Source
    seeds: SeedStore
    masks: LabelStore
    statistics: StatisticsStore
    method: Refinement
    min_region_px: int
    keep_tags: bool

    def __call__(self, item: Item) -> None:
        """Make and write the pseudo mask of an item."""
        image, seeds = self.read(item)
        self.write(item, seeds, self.method(image, seeds))

    def read(self, item: Item) -> tuple[UInt8[np.ndarray, "h w 3"], Seeds]:
        """What a mask is made of."""
        return self.source.read_image(item), self.seeds.read(item)

    def write(self, item: Item, seeds: Seeds, mask: UInt8[np.ndarray, "h w"]) -> None:
        """Write the mask of an item, cleaned; it comes last, for it makes the item finished."""
        mask = void_small_regions(mask, self.min_region_px)
        restored: tuple[int, ...] = ()
        if self.keep_tags:
            result = restore_vanished_tags(mask, upsample(seeds.maps, mask.shape), seeds.labels)
            mask, restored = result.mask, result.labels
        self.statistics.write(item, mask, restored)
        self.masks.write(item, mask)


def run(
    context: Context,
    *,
    method: Refinement,
    min_region_px: int = 0,
    keep_tags: bool = True,
    batch_size: int = 16,
) -> dict[str, float]:
    """Write the pseudo mask of every training image, as `masks/<id>.png`.

    No mask holds a class that its image is not tagged with.

    Args:
        context: data, folders, processes.
        method: turns an image and its seeds into a mask.
        min_region_px: connected regions of one label with fewer pixels become void.
        keep_tags: give a tag without any pixel those where its map is strongest, one at least.
        batch_size: images that an engine for GPUs solves together, in the run's own process.

    Returns:
        `images`, the fractions of pixels that are labelled, foreground and void, the images in
        which a tag was restored, and the threshold of the data set if there is one: what can be
        seen of pseudo masks without ground truth. `metrics.json` has every class's share, too.
    """
    items = context.items(TRAIN)
    masks = LabelStore(context.folder / "masks")
    seeds = SeedStore(seed_folder(context))
    statistics = StatisticsStore(context.folder / "statistics")
    method = fit_to_data_set(context, method, items, seeds)
    own = context.share(items)
    pending = [item for item in own if not masks.has(item)]
    task = RefineItem(context.source, seeds, masks, statistics, method, min_region_px, keep_tags)
    if method.in_batches:
        results = process_batches(task, pending, batch_size, context.folder)
    else:
        calls = ((item,) for item in pending)
        results = process_items(task, calls, context.workers, context.folder)
    done = len(own) - len(pending)
    for _ in track(results, len(own), "refine", done, visible=context.is_main):
        pass
    context.fabric.barrier()
    check_failures(context, len(items))
    if not context.is_main:
        return {}
    finished = (item for item in items if masks.has(item))
    numbers, shares = summarise_masks(statistics, finished, context.source.class_names)
    if isinstance(method.rule, FixedThreshold):
        numbers["bg_threshold"] = method.rule.threshold
    write_json(context.folder / METRICS, {**numbers, "class_shares": shares})
    return numbers


def process_batches(
    task: RefineItem, items: Sequence[Item], batch_size: int, folder: Path
) -> Iterator[Item]:
    """Make masks in batches, yielding finished items; the next batch is read meanwhile.

    A batch with an item that fails is done again one by one, so that it does not stop the others.
    """
    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    with ThreadPoolExecutor(1) as reader:
        reading = [reader.submit(_read_all, task, batch) for batch in batches[:1]]
        for number, batch in enumerate(batches):
            found = reading.pop()
            reading = [reader.submit(_read_all, task, after) for after in batches[number + 1 :][:1]]
            try:
                images, seeds = zip(*found.result(), strict=True)
                for parts in zip(batch, seeds, task.method.batch(images, seeds), strict=True):
                    task.write(*parts)
            except ITEM_ERRORS:
                for item in batch:
                    attempt(task, item, folder)
            yield from batch


def _read_all(
    task: RefineItem, batch: Sequence[Item]
) -> list[tuple[UInt8[np.ndarray, "_ _ 3"], Seeds]]:
    return [task.read(item) for item in batch]


def seed_folder(context: Context) -> Path:
    """The seeds to refine: propagated ones, in a run that has them."""
    return context.inputs.get("propagate", context.inputs["localize"]) / "seeds"
