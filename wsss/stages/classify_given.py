"""Take the user's own classifier in place of one that is trained here."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsss.data.pyramids import Scales
from wsss.data.source import VAL, Source
from wsss.models.own_classifier import RGB
from wsss.stage_tools.context import Context
from wsss.stage_tools.given_classifier import classifier_files, given_classifier
from wsss.stage_tools.tag_scores import save_scored

log = logging.getLogger(__name__)

VERSION = 2
INPUTS: tuple[str, ...] = ()
SPLITS = (VAL,)
READS_MASKS = False
KEY_NUMBER = "val_map"
GIVEN_PATHS = ("weights", "checkpoint", "classes")


def given_files(
    _source: Source, *, weights: str | None, checkpoint: str | None, classes: str | None
) -> dict[str, Path]:
    """The classifier's files, each by what it is.

    Raises:
        InvalidOptionError: both or neither of weights and checkpoint are given, or a file is
            missing.
    """
    return classifier_files(weights, checkpoint, classes)


def check(context: Context, **settings: Any) -> None:
    """Refuse a classifier that cannot be read, or is not one of the data set's classes.

    Raises:
        WsssError: says what is wrong with it.
    """
    given_classifier(context.source.class_names, **settings)


def run(
    context: Context,
    *,
    scales: Scales,
    model: str | None = None,
    weights: str | None = None,
    checkpoint: str | None = None,
    classes: str | None = None,
    output_stride: int = 16,
    channels: str = RGB,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> dict[str, float]:
    """Export the user's classifier as if it had been trained here, and score it on tags.

    Args:
        context: data, folders, processes.
        scales: the first is the size at which validation images are seen.
        model: `timm:NAME`, the network of `weights`.
        weights: a .safetensors or .pth file with the state dict of the whole classifier. Its
            logits are taken to be those of a multi-label classifier, one sigmoid a class.
        checkpoint: folder of a classifier of another run, instead of both.
        classes: file with the name of each output of the head; null where they are the data set's
            classes in their order.
        output_stride: image pixels per feature: 8, 16, or 32 for a network that cannot be dilated.
        channels: `rgb`, or `bgr` for a network that was trained on images read by OpenCV.
        mean: of the training images' channels, in [0, 1]; null for timm's of the network.
        std: their standard deviation, likewise.

    Returns:
        `val_map`: macro average precision of the validation tags; `chance_map`, that of a
        classifier that guesses: the mean share of images with a class.

    Raises:
        WsssError: the classifier cannot be read, or is not one of the data set's classes.
    """
    names = context.source.class_names
    found = given_classifier(
        names, model=model, weights=weights, checkpoint=checkpoint, classes=classes,
        output_stride=output_stride, channels=channels, mean=mean, std=std,
    )  # fmt: skip
    if context.is_main:
        log.info("outputs of the given classifier: %s", ", ".join(names))
    return save_scored(
        context, found, scales, "the given classifier finds",
        "are its classes in this order, and its images normalised so?",
    )  # fmt: skip
