"""Train ReCAM's second classifier on the maps of the first."""

from typing import Any, cast

import torch

from wsss.data.source import TRAIN, VAL
from wsss.data.transforms import Augmentation
from wsss.machine.devices import memory_format
from wsss.models import Backbone, LinearHead, ReactivatedHead
from wsss.models.saved_networks import save_classifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.loaders import image_loaders
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.trained_classifier import trained_classifier
from wsss.stage_tools.training import fit
from wsss.tasks import ReactivationTask
from wsss.tasks.schedule import OptimizerFactory

VERSION = 2
INPUTS = ("classify",)
SPLITS = (TRAIN, VAL)
READS_MASKS = False
KEY_NUMBER = "reactivation_loss"


def check(
    context: Context,
    *,
    lr: float,
    second_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    checkpoint_every_n_epochs: int = 1,
    **_: Any,
) -> None:
    """Find out before anything is computed whether the classifiers can be trained.

    Raises:
        WsssError: a schedule that cannot be run.
    """
    check_schedule(
        context, max_epochs, batch_size, lr, checkpoint_every_n_epochs,
        second_lr_factor=second_lr_factor,
    )  # fmt: skip


def run(
    context: Context,
    *,
    freeze: str,
    optimizer: OptimizerFactory,
    lr: float,
    second_lr_factor: float,
    loss_weight: float,
    max_epochs: int,
    batch_size: int,
    augmentation: Augmentation,
    checkpoint_every_n_epochs: int = 1,
) -> dict[str, float]:
    """Train a second classifier beside the one of `classify`, which goes on learning, on tags.

    Exports a classifier with both (Chen et al., Class Re-Activation Maps, CVPR 2022).

    Args:
        context: data, folders, processes.
        freeze: `backbone` trains both classifiers alone; `stem`, `none` and inner layers train the
            rest, too.
        optimizer: called with parameter groups.
        lr: learning rate of the backbone and the first classifier.
        second_lr_factor: the second classifier learns this many times faster.
        loss_weight: λ, weight of the second classifier's loss: 1 for VOC, 0.1 for COCO.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes together.
        augmentation: how images are varied.
        checkpoint_every_n_epochs: how much a killed run loses at most.

    Returns:
        `reactivation_loss`, `train_loss` and `val_map`: the losses of the last epoch, and the macro
        average precision of the validation tags.
    """
    model = trained_classifier(context)
    trunk, first = cast("Backbone", model.features), cast("LinearHead", model.head)
    trunk.to(memory_format=memory_format(context.fabric.device))
    trunk.freeze = freeze
    trunk.freeze_parameters()
    torch.manual_seed(context.seed)
    head = ReactivatedHead.beside(first).requires_grad_(True)
    model.head = head
    train, val = image_loaders(context, augmentation, batch_size)
    task = ReactivationTask(trunk, head, optimizer, lr, second_lr_factor, loss_weight)
    items = context.items(TRAIN)
    numbers = fit(context, task, train, val, max_epochs, checkpoint_every_n_epochs, items)
    if context.is_main:
        save_classifier(context.folder, model.cpu(), context.source.class_names)
    return {key: numbers[key] for key in (KEY_NUMBER, "train_loss", "val_map") if key in numbers}
