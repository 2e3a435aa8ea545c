"""Turn seeds into pseudo masks."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from wsss.argument_checks import check_whole
from wsss.artifacts import METRICS, LabelStore, Seeds, SeedStore, write_json
from wsss.data.sample import Item
from wsss.data.source import TRAIN, Source
from wsss.errors import inside
from wsss.refine.pseudo_label import upsample
from wsss.refine.refinement import Refinement
from wsss.refine.regions import restore_vanished_tags, void_small_regions
from wsss.refine.thresholds import FixedThreshold
from wsss.stage_tools.context import Context
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import ITEM_ERRORS, check_failures, failure_noted, process_items
from wsss.stages.refine.mask_statistics import StatisticsStore, summarise_masks
from wsss.stages.refine.pooled_threshold import fit_to_data_set

VERSION = 3
INPUTS = ("localize", "propagate")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "foreground_fraction"

Work = tuple[UInt8[np.ndarray, "_ _ 3"], Seeds]
"""Input of a refinement: an image and its seeds."""


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
        """The image of an item and its seeds."""
        return self.source.read_image(item), self.seeds.read(item)

    def write(self, item: Item, seeds: Seeds, mask: UInt8[np.ndarray, "h w"]) -> None:
        """Clean the mask of an item and write it, last: it marks the item as finished."""
        mask = void_small_regions(mask, self.min_region_px)
        restored: tuple[int, ...] = ()
        if self.keep_tags:
            result = restore_vanished_tags(mask, upsample(seeds.maps, mask.shape), seeds.labels)
            mask, restored = result.mask, result.labels
        self.statistics.write(item, mask, restored)
        self.masks.write(item, mask)


def check(
    _context: Context,
    *,
    method: Refinement,
    min_region_px: int = 0,
    batch_size: int = 16,
    max_batch_px: int = 4_000_000,
    **_: Any,
) -> None:
    """Refuse settings that are out of range, and a device that is not there, before all else.

    Raises:
        WsssError: names the setting.
    """
    check_whole(0, min_region_px=min_region_px)
    check_whole(1, batch_size=batch_size, max_batch_px=max_batch_px)
    with inside("method"):
        method.check()


def run(
    context: Context,
    *,
    method: Refinement,
    min_region_px: int = 0,
    keep_tags: bool = True,
    batch_size: int = 16,
    max_batch_px: int = 4_000_000,
) -> dict[str, float]:
    """Write the pseudo mask of every training image, as `masks/<id>.png`.

    No mask holds a class that its image is not tagged with.

    Args:
        context: data, folders, processes.
        method: turns an image and its seeds into a mask.
        min_region_px: connected regions of one label with fewer pixels become void.
        keep_tags: give a tag without any pixel those where its map is strongest, one at least.
        batch_size: images that an engine for GPUs solves together, in the run's own process.
        max_batch_px: the pixels of such a batch at the size at which they are refined, which its
            memory grows with; a larger image is a batch of its own.

    Returns:
        Statistics that need no ground truth: `images`, the fractions of pixels that are labelled,
        foreground and void, the images in which a tag was restored, and the data set's threshold
        if it has one. `metrics.json` has every class's share, too.
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
        sizes = [method.working_size(context.size(item)) for item in pending]
        batches = plan_batches(pending, sizes, batch_size, max_batch_px)
        results = process_batches(task, batches, context.folder)
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


def plan_batches(
    items: Sequence[Item], sizes: Sequence[tuple[int, int]], batch_size: int, max_batch_px: int
) -> list[list[Item]]:
    """Items in batches, in their order, each filled up as far as both bounds allow.

    Args:
        items: what to batch.
        sizes: height and width of each.
        batch_size: items of a batch at most.
        max_batch_px: their pixels at most; a larger item is a batch of its own.
    """
    batches: list[list[Item]] = []
    used_px = 0
    for item, (height, width) in zip(items, sizes, strict=True):
        used_px += height * width
        if not batches or len(batches[-1]) == batch_size or used_px > max_batch_px:
            batches.append([])
            used_px = height * width
        batches[-1].append(item)
    return batches


def process_batches(
    task: RefineItem, batches: Sequence[Sequence[Item]], folder: Path
) -> Iterator[Item]:
    """Make masks in batches, yielding finished items; the next batch is read meanwhile.

    A batch with an item that fails is done again one by one, so that it does not stop the others.
    """
    with ThreadPoolExecutor(1) as reader:
        reading = [reader.submit(_read_all, task, batch) for batch in batches[:1]]
        for number, batch in enumerate(batches):
            found = reading.pop()
            reading = [reader.submit(_read_all, task, after) for after in batches[number + 1 :][:1]]
            if not _succeeds(task, batch, found):
                for item in batch:
                    with failure_noted(folder, item):
                        task(item)
            yield from batch


def _succeeds(task: RefineItem, batch: Sequence[Item], reading: "Future[list[Work]]") -> bool:
    """Make the masks of a batch; whether it succeeded.

    Not an exception, whose traceback would keep the images of the batch in memory.
    """
    try:
        images, seeds = zip(*reading.result(), strict=True)
        for parts in zip(batch, seeds, task.method.batch(images, seeds), strict=True):
            task.write(*parts)
    except ITEM_ERRORS:
        return False
    return True


def _read_all(task: RefineItem, batch: Sequence[Item]) -> list[Work]:
    return [task.read(item) for item in batch]


def seed_folder(context: Context) -> Path:
    """The seeds to refine: propagated ones, in a run that has them."""
    return context.inputs.get("propagate", context.inputs["localize"]) / "seeds"
