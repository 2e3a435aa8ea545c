"""Train the segmenter on pseudo masks."""

from collections.abc import Callable
from typing import Any

import torch

from wsss.artifacts import LabelStore
from wsss.data.datasets import MaskedImages
from wsss.data.item_table import select
from wsss.data.source import TRAIN
from wsss.data.transforms import Augmentation
from wsss.errors import inside, user_error
from wsss.machine.compilers import why_not_compiled
from wsss.machine.devices import memory_format
from wsss.models import Segmenter
from wsss.models.saved_networks import save_segmenter
from wsss.stage_tools.context import Context
from wsss.stage_tools.loaders import training_loader
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.training import fit
from wsss.tasks import SegmentationTask
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
    if compiled and (reason := why_not_compiled(context.fabric.device)):
        raise user_error(
            "segment.compiled=true", reason, "what torch.compile makes programs with",
            "Install it, or leave segment.compiled out.",
        )  # fmt: skip
    check_schedule(
        context, max_epochs, batch_size, lr, checkpoint_every_n_epochs,
        head_lr_factor=head_lr_factor,
    )  # fmt: skip
    with inside("segmenter"):
        segmenter(num_classes=len(context.source.class_names))
    ranks, images = context.fabric.world_size, len(context.items(TRAIN))
    if images < 2 * ranks:
        raise user_error(
            f"split {TRAIN}", f"{images} usable images for {ranks} processes",
            "at least 2 training images for each process: the decoder normalises over its batch",
            "Add images, or use fewer processes.",
        )  # fmt: skip
    if batch_size // ranks < 2:
        raise user_error(
            "segment.batch_size", "batches of a single image",
            "at least 2 images for each process: the decoder normalises over its batch",
            "Set segment.batch_size to twice the number of processes, or more.",
        )  # fmt: skip


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
    torch.manual_seed(context.seed)
    names = context.source.class_names
    model = segmenter(num_classes=len(names)).to(memory_format=memory_format(context.fabric.device))
    if compiled:
        model.compile()
    masks = LabelStore(context.inputs["refine"] / "masks")
    items = select(context.items(TRAIN), masks.has)
    images = MaskedImages(context.source, items, masks.read, augmentation, context.seed)
    task = SegmentationTask(model, len(names), optimizer, lr, head_lr_factor)
    train = training_loader(context, images, batch_size)
    numbers = fit(context, task, train, None, max_epochs, checkpoint_every_n_epochs, items)
    if context.is_main:
        save_segmenter(context.folder, model.cpu(), names)
    return {key: numbers[key] for key in ("pseudo_miou", "train_loss")}
