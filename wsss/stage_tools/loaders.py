"""Loaders of a rank's share: shuffled samples to train on, whole images in a fixed order."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from wsss.data.datasets import AugmentedImages, TaggedBatch, TaggedImages
from wsss.data.pyramids import PyramidBatch, PyramidBatches, Scales, plan_batches
from wsss.data.random_seeds import epoch_sampler
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.data.transforms import Augmentation
from wsss.machine.processes import loader_context
from wsss.stage_tools.context import Context
from wsss.stage_tools.measuring_loader import MeasuringLoader

STEPS_OF_STRETCH = 1000
"""Longer epochs are trained in stretches, so that a run that is ended loses no more than one."""
BATCH_SIZE = 8
"""Whole images of a batch."""


def training_loader(
    context: Context, dataset: Dataset[Any], batch_size: int, workers: int | None = None
) -> DataLoader[Any]:
    """A loader of this rank's share of shuffled samples; `batch_size` counts all ranks together."""
    fabric = context.fabric
    own_batch = batch_size // fabric.world_size  # See `check_schedule`.
    sampler = epoch_sampler(dataset, fabric.global_rank, fabric.world_size, context.seed)
    steps = len(sampler) // own_batch
    if steps > STEPS_OF_STRETCH and "limit_train_batches" not in context.trainer:
        stretches = -(-steps // STEPS_OF_STRETCH)
        sampler.split(stretches, steps // stretches * own_batch)
    workers = context.workers if workers is None else workers
    options: dict[str, Any] = {
        "batch_size": own_batch,
        "sampler": sampler,
        "num_workers": workers,
        "drop_last": len(sampler) >= own_batch,  # A last batch of one would upset BatchNorm.
        "pin_memory": fabric.device.type == "cuda",
        "multiprocessing_context": loader_context(workers),
        # Without one, the loader draws from the numbers of the network's dropout, and how often
        # depends on the workers.
        "generator": torch.Generator(),
    }
    if not isinstance(dataset, AugmentedImages):
        return DataLoader(dataset, persistent_workers=workers > 0, **options)
    on_cores = fabric.device.type == "cpu" and context.workers_as_needed
    processes = 1 if on_cores else max(1, workers)
    dataset.kept.limit_bytes = context.keep_images_mib * 2**20 // processes
    if on_cores:
        return MeasuringLoader(dataset, **options)
    return DataLoader(dataset, persistent_workers=workers > 0, **options)


def smaller_batches(loader: DataLoader[Any], parts: int) -> DataLoader[Any]:
    """The same samples in the same order, each batch in `parts`."""
    workers = loader.num_workers
    return DataLoader(
        loader.dataset,
        batch_size=(loader.batch_size or 0) // parts,
        sampler=loader.sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=loader.pin_memory,
        multiprocessing_context=loader_context(workers),
        generator=torch.Generator(),
    )


def image_loaders(
    context: Context, augmentation: Augmentation, batch_size: int
) -> tuple[DataLoader[TaggedBatch], DataLoader[TaggedBatch]]:
    """Loaders of the augmented training images and of the whole validation images, with tags."""
    images = TaggedImages(context.source, context.items(TRAIN), augmentation, context.seed)
    val = DataLoader(
        _TaggedBatches(context, context.items(VAL)),
        batch_size=None,
        num_workers=context.workers,
        multiprocessing_context=loader_context(context.workers),
    )
    return training_loader(context, images, batch_size), val


def pending_batches(
    context: Context,
    items: Sequence[Item],
    scales: Scales,
    batch_size: int,
    is_done: Callable[[Item], bool],
) -> list[Sequence[Item]]:
    """This rank's planned batches of which at least one item is not done yet."""
    plan = plan_batches(items, context.size, scales, batch_size)
    return [batch for batch in context.share(plan) if not all(map(is_done, batch))]


class _TaggedBatches(Dataset[TaggedBatch]):
    """This rank's share of whole images with their tags, in batches of like size."""

    def __init__(self, context: Context, items: Sequence[Item]) -> None:
        """Plan the batches of `items`, at least one for each rank."""
        scales = Scales()
        batch_size = max(1, min(BATCH_SIZE, len(items) // context.fabric.world_size))
        plan = context.share(plan_batches(items, context.size, scales, batch_size))
        self.batches = PyramidBatches(context.source, plan, scales)

    def __len__(self) -> int:
        """Number of batches."""
        return len(self.batches)

    def __getitem__(self, index: int) -> TaggedBatch:
        """Images uint8 [b, 3, h, w] and tags float [b, C]."""
        batch: PyramidBatch = self.batches[index]
        source = self.batches.source
        tags = [torch.from_numpy(source.tags(item)).float() for item in batch.items]
        return {"images": batch.pyramid[0], "tags": torch.stack(tags)}
