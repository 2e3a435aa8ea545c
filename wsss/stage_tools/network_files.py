"""A stage that writes what a network computes of each of its images."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from wsss.data.pyramids import PyramidBatch, PyramidBatches, Scales, Size
from wsss.data.sample import Item
from wsss.models.feature_maps import CPU_PX
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import map_batches
from wsss.stage_tools.loaders import BATCH_SIZE, pending_batches
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import check_failures, note_failure

R = TypeVar("R")


def write_network_files(
    context: Context,
    items: Sequence[Item],
    scales: Scales,
    is_done: Callable[[Item], bool],
    computed: Callable[[PyramidBatch], list[R]],
    write: Callable[[Item, Size, R], None],
    description: str,
    batch_size: int = BATCH_SIZE,
    cpu_px: int | None = CPU_PX,
    num_images: int | None = None,
) -> None:
    """Compute and write the files of this rank's share of items; all ranks leave together.

    Images that cannot be read are noted.

    Args:
        context: processes, folder and rank.
        items: of the stage, those of all ranks.
        scales: at which an image is seen.
        is_done: whether an item has its files; a batch of such items is not computed again.
        computed: from a batch to a result for each image.
        write: writes the files of an item, from its size and result.
        description: of the progress bar.
        batch_size: images a forward pass; those of like size are batched.
        cpu_px: see `map_batches`.
        num_images: of the stage, of which some may fail; None: those of `items`.

    Raises:
        WsssError: too many items failed.
    """
    batches = pending_batches(context, items, scales, batch_size, is_done)
    loader = PyramidBatches(context.source, batches, scales).loader(context.workers)
    shown = track(
        map_batches(context, computed, loader, cpu_px),
        sum(map(len, batches)),
        description,
        visible=context.is_main,
        count=lambda one: one[0].num_images,
    )
    for batch, results in shown:
        for item, reason in batch.failures:
            note_failure(context.folder, item, reason)
        for item, size, result in zip(batch.items, batch.sizes, results, strict=True):
            write(item, size, result)
    context.fabric.barrier()
    check_failures(context, len(items) if num_images is None else num_images)
