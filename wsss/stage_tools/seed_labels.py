"""Training labels that a stage makes of seeds for itself, by a dense CRF."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import LabelStore, Seeds
from wsss.data.sample import Item
from wsss.refine.crf_labelling import CrfLabelling
from wsss.stage_tools.context import Context
from wsss.stage_tools.item_files import Calls, write_item_files
from wsss.stage_tools.seeded_images import SeededImages


@dataclass(frozen=True, slots=True)
class LabelItem(SeededImages):
    """The labelling of one image, done in a process of its own, without torch."""

    store: LabelStore
    labels: CrfLabelling

    def __call__(self, item: Item, mask: UInt8[np.ndarray, "h w"] | None = None) -> None:
        """Write the labels of an item: `mask`, where it was made together with others."""
        self.store.write(item, self.labels(*self.read(item)) if mask is None else mask)


def write_labels(
    context: Context, items: Sequence[Item], task: LabelItem, description: str
) -> None:
    """Label this rank's share of the images; all ranks leave together.

    Args:
        context: of the stage.
        items: with seeds.
        task: labels an image.
        description: of the progress bar.

    Raises:
        WsssError: too many failed.
    """

    def calls(pending: Sequence[Item]) -> Calls:
        return mask_calls(context, task.labels, pending, task.read)

    write_item_files(context, items, task.store, task, calls, description)


def mask_calls(
    context: Context,
    labels: CrfLabelling,
    items: Sequence[Item],
    read: Callable[[Item], tuple[UInt8[np.ndarray, "_ _ 3"], Seeds]],
    **sizes: int,
) -> Calls:
    """Arguments of a task that labels an image: it alone, or with the mask that a GPU has made.

    Args:
        context: of the stage.
        labels: labels an image, or many together.
        items: to be labelled.
        read: reads an image and its seeds.
        **sizes: `batch_size` and `max_batch_px` of what is solved together.
    """
    if not labels.engine.in_batches:
        return ((item,) for item in items)
    # For engines of GPUs alone, whose part imports torch.
    from wsss.stage_tools.crf_batches import masks_in_batches

    return masks_in_batches(context, labels, items, read, **sizes)
