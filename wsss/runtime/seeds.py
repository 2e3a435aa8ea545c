"""What stages that make seeds have in common: a check beforehand, and files for every image."""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from torch import Tensor

from wsss.artifacts import Seeds, SeedStore
from wsss.data.pyramids import PyramidBatch
from wsss.data.source import TRAIN
from wsss.errors import inside
from wsss.models import SplitClassifier
from wsss.runtime.classifiers import untrained_classifier
from wsss.runtime.context import Context
from wsss.runtime.forward import map_batches
from wsss.runtime.items import check_failures, note_failure
from wsss.runtime.progress import track


class Choosy(Protocol):
    """A method that does not work on every classifier."""

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that lacks what is needed."""


def check_method(context: Context, method: Choosy) -> None:
    """Refuse a method that cannot work on this run's classifier before that is trained.

    Raises:
        WsssError: names what the method needs and a model that has it.
    """
    if "classify" in context.settings:
        model = untrained_classifier(context)
        with inside("method"):
            method.check(model)


def write_seeds(
    context: Context,
    store: SeedStore,
    maps_of: Callable[[PyramidBatch], list[Tensor]],
    batches: Iterable[PyramidBatch],
    num_batches: int,
    description: str,
) -> dict[str, float]:
    """Write the maps of every image in the batches.

    Args:
        context: data, folders, processes.
        store: where to.
        maps_of: makes maps [at least n, h, w] in [0, 1] of each image of a batch with n tags.
        batches: images of this rank.
        num_batches: how many.
        description: what is shown beside the progress.

    Returns:
        `images`: number of seed files.

    Raises:
        WsssError: too many images failed.
    """
    results = map_batches(context, maps_of, batches)
    for batch, maps in track(results, num_batches, description, visible=context.is_main):
        for item, reason in batch.failures:
            note_failure(context.folder, item, reason)
        for item, size, item_maps in zip(batch.items, batch.sizes, maps, strict=True):
            labels = np.array(item.labels, dtype=np.uint16)
            present = item_maps[: len(item.labels)].half().cpu().numpy()
            store.write(item, Seeds(labels, present, size))
    context.fabric.barrier()
    items = context.items(TRAIN)
    check_failures(context, len(items))
    return {"images": float(sum(store.has(item) for item in items))}
