"""Train the segmenter on pseudo masks, and on those that it makes itself, in rounds."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from wsss.argument_checks import check_fraction, check_whole
from wsss.artifacts import LabelStore
from wsss.data.item_table import select
from wsss.data.source import TRAIN
from wsss.data.transforms import Augmentation
from wsss.errors import inside, user_error
from wsss.losses import PixelLoss
from wsss.models import Segmenter
from wsss.models.saved_networks import load_segmenter, save_segmenter
from wsss.stage_tools.context import Context
from wsss.stage_tools.segmenter_training import (
    add_evidence,
    check_segmenter_training,
    train_segmenter,
)
from wsss.stages.segment.relabelling import Relabelling, mean_agreement, relabelled
from wsss.tasks.schedule import OptimizerFactory

log = logging.getLogger(__name__)

VERSION = 2
INPUTS = ("classify", "refine")
SWITCHES = {"classify": "classifier_weight"}
"""Inputs that are taken where a setting is not 0."""
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "pseudo_miou"
OF_ROUNDS = ("settled", "relabel")
"""Settings that have an effect only where there are several rounds."""


def in_use(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that have an effect: without those of rounds where there is one training."""
    several = settings.get("rounds", 1) > 1
    return {key: one for key, one in settings.items() if several or key not in OF_ROUNDS}


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
    ema_decay: float = 0.0,
    classifier_weight: float = 0.0,
    copy_paste: float = 0.0,
    rounds: int = 1,
    settled: float = 0.95,
    relabel: Relabelling | None = None,
    **_: Any,
) -> None:
    """Find out before anything is computed whether the segmenter can be trained.

    Raises:
        WsssError: the network cannot be built or compiled, its batches are too small, or rounds
            cannot be run.
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
        ema_decay=ema_decay,
        copy_paste=copy_paste,
        classifier_weight=classifier_weight,
    )
    check_whole(1, rounds=rounds)
    check_fraction(settled=settled)
    if rounds > 1 and relabel is None:
        raise user_error(
            f"segment.rounds={rounds}", "segment.relabel=null",
            "how masks are made anew between rounds", "Leave segment.relabel out.",
        )  # fmt: skip
    if rounds > 1 and relabel is not None:
        with inside("relabel"):
            check_whole(1, batch_size=relabel.batch_size)
            with inside("method"):
                relabel.method.check()


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
    ema_decay: float = 0.0,
    loss: PixelLoss | None = None,
    classifier_weight: float = 0.0,
    copy_paste: float = 0.0,
    rounds: int = 1,
    settled: float = 0.95,
    relabel: Relabelling | None = None,
) -> dict[str, float]:
    """Train a segmenter on the pseudo masks and export it; ground truth is never opened.

    Of several rounds each begins with ImageNet's weights and learns from masks that the one before
    has made: its predictions on training images, of their tags alone, through the CRF. No further
    round begins once new masks hardly differ from those that were learnt from: that is the rule to
    stop, which needs no ground truth.

    Args:
        context: data, folders, processes.
        segmenter: called with `num_classes`.
        optimizer: called with parameter groups.
        augmentation: how images and pseudo masks are varied.
        lr: learning rate of the encoder.
        head_lr_factor: the decoder learns this many times faster.
        max_epochs: passes over the training images, in each round.
        batch_size: images a step, over all processes together.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        compiled: whether torch.compile makes a program of the network first, in a minute or more.
        ema_decay: of a moving average of the weights, which takes their place in the end; 0: none.
        classifier_weight: see `train_segmenter`.
        copy_paste: likewise.
        loss: of pixels; None: the cross-entropy.
        rounds: trainings at most.
        settled: no further round begins where new masks and those before agree as much, in mean
            IoU over an image's background and tags.
        relabel: makes masks anew between rounds.

    Returns:
        `pseudo_miou`: agreement with the (augmented) pseudo masks in the last epoch; and the loss.
        Of several rounds `rounds`, how many there were, and `agreement_<n>`, how much the masks
        that the n-th round has made agree with those that it learnt from.
    """
    train = partial(
        train_segmenter,
        segmenter=segmenter,
        optimizer=optimizer,
        augmentation=augmentation,
        lr=lr,
        head_lr_factor=head_lr_factor,
        max_epochs=max_epochs,
        batch_size=batch_size,
        checkpoint_every_n_epochs=checkpoint_every_n_epochs,
        compiled=compiled,
        ema_decay=ema_decay,
        copy_paste=copy_paste,
        loss=loss,
    )
    masks = LabelStore(context.inputs["refine"] / "masks")
    items = select(context.items(TRAIN), masks.has)
    if rounds == 1:
        numbers = train(context, items, masks.read, classifier_weight=classifier_weight)
        return {key: numbers[key] for key in ("pseudo_miou", "train_loss")}
    assert relabel is not None  # See `check`.
    agreements: dict[str, float] = {}
    for number in range(1, rounds + 1):
        own = _context_of_round(context, number)
        numbers = train(own, select(items, masks.has), masks.read)
        context.fabric.barrier()
        model, names = load_segmenter(own.folder)
        if number == rounds:
            break
        renewed = relabelled(context, model, items, relabel, own.folder)
        agreement = mean_agreement(items, masks, renewed)
        agreements[f"agreement_{number}"] = agreement
        if context.is_main:
            log.info(
                "segment: the masks of round %d agree with those before at %.3f", number, agreement
            )
        if agreement >= settled:
            break
        masks = renewed
    if context.is_main:
        # Not before: which classes a training image has is known from its tags.
        add_evidence(context, model.cpu(), classifier_weight)
        save_segmenter(context.folder, model, names)
    kept = {key: numbers[key] for key in ("pseudo_miou", "train_loss")}
    return {**kept, "rounds": float(number), **agreements}


def _context_of_round(context: Context, number: int) -> Context:
    """The context of a round's training, in a folder of its own; its curves are told at the end."""
    folder = context.folder / f"round_{number}"
    if context.is_main:
        folder.mkdir(exist_ok=True)
    context.fabric.barrier()
    return replace(context, folder=folder, application=context.stage, loggers=[])
