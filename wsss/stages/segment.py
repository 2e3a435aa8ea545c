"""Train the segmenter on pseudo masks."""

from collections.abc import Callable
from typing import Any

from wsss.artifacts import LabelStore
from wsss.data.item_table import select
from wsss.data.source import TRAIN
from wsss.data.transforms import Augmentation
from wsss.models import Segmenter
from wsss.stage_tools.context import Context
from wsss.stage_tools.segmenter_training import check_segmenter_training, train_segmenter
from wsss.tasks.schedule import OptimizerFactory

VERSION = 1
INPUTS = ("refine",)
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "pseudo_miou"


def check(
    context: Context,
    *,
    segmenter: Callable[..., Segmenter],
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    checkpoint_every_n_epochs: int = 1,
    compiled: bool = False,
    **_: Any,
) -> None:
    """Find out before anything is computed whether the segmenter can be trained.

    Raises:
        WsssError: the network cannot be built or compiled, or its batches are too small.
    """
    check_segmenter_training(
        context,
        len(context.items(TRAIN)),
        segmenter=segmenter,
        lr=lr,
        head_lr_factor=head_lr_factor,
        max_epochs=max_epochs,
        batch_size=batch_size,
        checkpoint_every_n_epochs=checkpoint_every_n_epochs,
        compiled=compiled,
    )


def run(
    context: Context,
    *,
    segmenter: Callable[..., Segmenter],
    optimizer: OptimizerFactory,
    augmentation: Augmentation,
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    checkpoint_every_n_epochs: int = 1,
    compiled: bool = False,
) -> dict[str, float]:
    """Train a segmenter on the pseudo masks and export it; ground truth is never opened.

    Args:
        context: data, folders, processes.
        segmenter: called with `num_classes`.
        optimizer: called with parameter groups.
        augmentation: how images and pseudo masks are varied.
        lr: learning rate of the encoder.
        head_lr_factor: the decoder learns this many times faster.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes together.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        compiled: whether torch.compile makes a program of the network first, in a minute or more.

    Returns:
        `pseudo_miou`: agreement with the (augmented) pseudo masks in the last epoch; and the loss.
    """
    masks = LabelStore(context.inputs["refine"] / "masks")
    numbers = train_segmenter(
        context,
        select(context.items(TRAIN), masks.has),
        masks.read,
        segmenter=segmenter,
        optimizer=optimizer,
        augmentation=augmentation,
        lr=lr,
        head_lr_factor=head_lr_factor,
        max_epochs=max_epochs,
        batch_size=batch_size,
        checkpoint_every_n_epochs=checkpoint_every_n_epochs,
        compiled=compiled,
    )
    return {key: numbers[key] for key in ("pseudo_miou", "train_loss")}
