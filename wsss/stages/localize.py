"""Compute seeds: activation maps of every training image's tags."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from wsss.argument_checks import check_whole
from wsss.artifacts import seed_size
from wsss.cams.core.method import CamMethod, check_is_method
from wsss.cams.core.multiscale import maps_of_scales, scale_agreement, summed
from wsss.data.pyramids import PyramidBatch, Scales
from wsss.data.source import TRAIN
from wsss.models import SplitClassifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.seed_writing import ImageMaps, check_method, write_seeds

VERSION = 6
INPUTS = ("classify", "reactivate", "oppose")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "images"


def check(context: Context, *, method: CamMethod, batch_size: int = 8, **_: Any) -> None:
    """Refuse a method that cannot work on this run's classifier before that is trained.

    Raises:
        WsssError: names what the method needs and a model that has it.
    """
    check_whole(1, batch_size=batch_size)
    check_is_method(method, "method")
    check_method(context, method)


def run(
    context: Context, *, method: CamMethod, scales: Scales, flip: bool = True, batch_size: int = 8
) -> dict[str, float]:
    """Write the seeds of every training image, as `seeds/<id>.npz`.

    Args:
        context: data, folders, processes.
        method: computes raw maps.
        scales: sizes at which an image is seen.
        flip: see every scale mirrored, too.
        batch_size: images a forward pass; those of like size are batched.

    Returns:
        `images`: number of seed files; `scale_agreement`: that of the images' maps, where they are
        seen at several scales.
    """
    if method.sees_scales:
        scales, flip = replace(scales, factors=(1.0,)), False

    def maps_of(model: SplitClassifier, method: CamMethod, batch: PyramidBatch) -> list[ImageMaps]:
        device = context.fabric.device
        sizes = [seed_size(*size) for size in batch.sizes]
        pyramid = [level.to(device) for level in batch.pyramid]
        classes = _padded_classes([item.labels for item in batch.items]).to(device)
        scales = maps_of_scales(model, method, pyramid, classes, sizes, flip)
        return [
            ImageMaps(summed(one), scale_agreement(one) if len(one) > 1 else None)
            for one in zip(*scales, strict=True)
        ]

    return write_seeds(context, method, maps_of, scales, batch_size, "localize")


def _padded_classes(labels: list[tuple[int, ...]]) -> Tensor:
    """Class indices [b, n] of tags, each row filled up with its first class (or class 0)."""
    longest = max(1, *map(len, labels)) if labels else 1
    rows = [[label - 1 for label in row] or [0] for row in labels]
    return torch.tensor([row + row[:1] * (longest - len(row)) for row in rows])
