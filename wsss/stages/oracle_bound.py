"""Train the segmenter on true masks, and score it: the bound of weak supervision (oracle)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import UInt8

from wsss.argument_checks import check_whole
from wsss.artifacts import write_json
from wsss.data.item_table import select
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL, Source
from wsss.data.transforms import Augmentation
from wsss.errors import inside, user_error
from wsss.models import Segmenter
from wsss.models.saved_networks import ORACLE_SEGMENTER, load_segmenter
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.report.bound import BOUNDS, KINDS, LABELS
from wsss.report.confusions import CONFUSIONS, write_confusions
from wsss.stage_tools.context import Context
from wsss.stage_tools.predictions.predict_split import predict_split
from wsss.stage_tools.scoring import SUBJECT_LABELS, CountStore, summarise, total_counts
from wsss.stage_tools.segmenter_training import check_segmenter_training, train_segmenter
from wsss.stage_tools.worker_pool import check_failures
from wsss.tasks.schedule import OptimizerFactory

log = logging.getLogger(__name__)

VERSION = 2
"""Raised with that of `segment` or `evaluate` where it shares what has changed there."""
INPUTS = ("classify",)
SWITCHES = {"classify": "classifier_weight"}
SPLITS = (TRAIN, VAL)
READS_MASKS = True
KEY_NUMBER = "bound_miou"

AGREEMENT = "mask_miou"
"""What the training logs: agreement with the masks that it learns from."""


def in_use(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that have an effect: `trains_from` takes the place of the segmenter's own."""
    segmenter = settings["segmenter"]
    if not isinstance(segmenter, Mapping):  # A factory, which is called with `trains_from`.
        return dict(settings)
    used = {key: one for key, one in settings.items() if key != "trains_from"}
    return {**used, "segmenter": {**segmenter, "trains_from": settings["trains_from"]}}


@dataclass(frozen=True, slots=True)
class TrueMasks:
    """Reads the ground truth of images that have one, in any process."""

    source: Source

    def __call__(self, item: Item) -> UInt8[np.ndarray, "h w"]:
        """The label of every pixel; void stays void."""
        mask = self.source.read_mask(item)
        assert mask is not None
        return mask


def check(
    context: Context,
    *,
    segmenter: Callable[..., Segmenter],
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    trains_from: str | None = None,
    crf: DenseCrfEngine | None = None,
    prediction_batch_size: int = 8,
    checkpoint_every_n_epochs: int = 1,
    compiled: bool = False,
    ema_decay: float = 0.0,
    classifier_weight: float = 0.0,
    copy_paste: float = 0.0,
    **_: Any,
) -> None:
    """Find out before anything is computed whether the bound can be trained and scored.

    Raises:
        WsssError: the data set has no masks of training or of validation images, or as for
            `segment` and `evaluate`.
    """
    masked = {split: _with_mask(context, split) for split in SPLITS}
    if lacking := [split for split in SPLITS if not masked[split]]:
        raise user_error(
            "bound=true",
            f"data set `{context.source.name}`, in which no image of {' or '.join(lacking)} has "
            "a mask",
            "true masks of training images to learn from, and of validation images to be scored",
            "Add masks to the data set, or leave `bound` out: nothing else needs them.",
        )
    check_segmenter_training(
        context,
        len(masked[TRAIN]),
        segmenter=partial(segmenter, trains_from=trains_from),
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
    check_whole(1, prediction_batch_size=prediction_batch_size)
    if crf is not None:
        with inside("crf"):
            crf.check()


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
    scales: Scales,
    trains_from: str | None = None,
    flip: bool = True,
    crf: DenseCrfEngine | None = None,
    prediction_batch_size: int = 8,
    checkpoint_every_n_epochs: int = 1,
    compiled: bool = False,
    ema_decay: float = 0.0,
    classifier_weight: float = 0.0,
    copy_paste: float = 0.0,
) -> dict[str, float]:
    """Train a segmenter on the training images' ground truth, and score it on the validation split.

    No other stage takes anything from here but the report. Images without a mask are left out.

    Args:
        context: data, folders, processes, a classifier if there is one. Its stage tells which
            bound it is.
        segmenter: called with `num_classes` and `trains_from`.
        optimizer: called with parameter groups.
        augmentation: how images and masks are varied.
        lr: learning rate of the encoder.
        head_lr_factor: the decoder learns this many times faster.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes together.
        scales: as of `evaluate`.
        trains_from: the first module of the encoder that is trained; None: all are.
        flip: as of `evaluate`.
        crf: as of `evaluate`.
        prediction_batch_size: `batch_size` of `evaluate`.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        compiled: whether torch.compile makes a program of the network first, in a minute or more.
        ema_decay: of a moving average of the weights, which takes their place in the end; 0: none.
        classifier_weight: as of `segment`.
        copy_paste: likewise.

    Returns:
        mIoU in [0, 1] of the single scale and of scales, mirror images and CRF, which have the
        classes' IoU in `metrics.json`; and agreement with the (augmented) masks in the last epoch.
        Names begin with that of the bound.
    """
    name = BOUNDS[context.stage]
    every, items = context.items(TRAIN), _with_mask(context, TRAIN)
    if context.is_main and len(items) < len(every):
        log.warning(
            "%s: learns from the %d of %d training images that have a mask",
            context.stage, len(items), len(every),
        )  # fmt: skip
    trained = train_segmenter(
        context,
        items,
        TrueMasks(context.source.reader),
        segmenter=partial(segmenter, trains_from=trains_from),
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
        classifier_weight=classifier_weight,
        agreement=AGREEMENT,
        file_name=ORACLE_SEGMENTER,
    )
    context.fabric.barrier()
    model, names = load_segmenter(context.folder, ORACLE_SEGMENTER)
    val = context.items(VAL)
    counts = CountStore(context.folder / "counts" / f"{VAL}_predictions")
    predict_split(context, model, VAL, val, counts, scales, flip, crf, prediction_batch_size)
    context.fabric.barrier()
    check_failures(context, len(val))
    if not context.is_main:
        return {}
    some = f" ({len(items)} of {len(every)} training images)" * (len(items) < len(every))
    label = f"{LABELS[context.stage]}{some}"
    learnt_from = {"learnt_from_images": len(items), "images_without_mask": len(every) - len(items)}
    matrices, subjects = _scored(name, label, total_counts(counts, val))
    metrics = {"class_names": list(names), "subjects": subjects, **learnt_from}
    write_json(context.folder / "metrics.json", metrics)
    write_confusions(context.folder / CONFUSIONS, matrices)
    scores = {f"{subject}_miou": one["miou"] for subject, one in subjects.items()}
    return {**scores, f"{name}_train_miou": trained[AGREEMENT]}


def _scored(
    name: str, label: str, totals: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Pixels and scores of both kinds of predictions, under the names of the bound."""
    found = {kind: f"{name}{end}" for kind, end in KINDS.items() if kind in totals}
    subjects = {
        own: {
            "label": SUBJECT_LABELS[kind].replace("segmenter", label),
            "split": VAL,
            "oracle": True,
            "num_images": int(totals["images"]),
            **summarise(totals[kind]),
        }
        for kind, own in found.items()
    }
    return {own: totals[kind] for kind, own in found.items()}, subjects


def _with_mask(context: Context, split: str) -> Sequence[Item]:
    """The usable images of a split that have ground truth, as the data check found them."""
    masked, source = context.masked, context.source
    if masked is None:
        return select(context.items(split), lambda item: source.read_mask(item) is not None)
    return select(context.items(split), lambda item: item.id in masked)
