"""Propagate seeds by a random walk between similar pixels."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_at_least, check_whole
from wsss.artifacts import SeedStore, seed_size
from wsss.data.colours import in_unit_range
from wsss.data.pyramids import PyramidBatch, Scales
from wsss.data.source import TRAIN
from wsss.models import SplitClassifier
from wsss.models.affinity_heads import resize
from wsss.refine.affinity import PairAffinity, random_walk
from wsss.refine.affinity.pixel_pair_affinity import PixelRelations
from wsss.stage_tools.context import Context
from wsss.stage_tools.seed_writing import ImageMaps, check_method, write_seeds

VERSION = 3
INPUTS = ("classify", "reactivate", "localize", "affinity")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "images"


def check(
    context: Context,
    *,
    method: PairAffinity,
    exponent: float = 10.0,
    num_steps: int = 256,
    batch_size: int = 8,
    **_: Any,
) -> None:
    """Refuse a method that cannot work on this run's classifier before that is trained.

    Raises:
        WsssError: names what is missing, or a setting that is out of range.
    """
    check_at_least(0, exponent=exponent)
    check_whole(0, num_steps=num_steps)
    check_whole(1, batch_size=batch_size)
    check_method(context, method)


def run(
    context: Context,
    *,
    method: PairAffinity,
    scales: Scales,
    exponent: float = 10.0,
    num_steps: int = 256,
    batch_size: int = 8,
) -> dict[str, float]:
    """Write the seeds of every training image after a random walk, as `seeds/<id>.npz`.

    Args:
        context: data, folders, processes.
        method: computes boundaries and affinities between pixels.
        scales: the first is the size at which an image is seen, and a quarter of it that of the
            walk.
        exponent: β, how much strong affinities outweigh weak ones.
        num_steps: steps of the walk; 0 only removes the seeds on boundaries.
        batch_size: images a forward pass; those of like size are batched.

    Returns:
        `images`: number of seed files.
    """
    before = SeedStore(context.inputs["localize"] / "seeds")

    def walked(
        model: SplitClassifier, method: PairAffinity, batch: PyramidBatch
    ) -> list[ImageMaps]:
        images = in_unit_range(batch.pyramid[0].to(context.fabric.device))
        # The walk adds up hundreds of steps: in single precision, whatever that of the network.
        pixels = PixelRelations(*(one.float() for one in method(model, images)))
        seeds = [before.read(item).maps for item in batch.items]
        size = (pixels.boundary.shape[1], pixels.boundary.shape[2])
        scores = torch.stack([_padded(one, max(map(len, seeds)), size) for one in seeds])
        # Pixels on a boundary start without scores, as in the authors' code.
        scores = scores.to(images) * (1 - pixels.boundary[:, None])
        spread = random_walk(scores, pixels.affinity, method.radius, exponent, num_steps)
        return [
            ImageMaps(normalised(_at_size(one[: len(own)], seed_size(*original))))
            for one, own, original in zip(spread, seeds, batch.sizes, strict=True)
        ]

    return write_seeds(context, method, walked, scales, batch_size, "propagate")


def _padded(
    maps: Float[np.ndarray, "n h w"], count: int, size: tuple[int, int]
) -> Float[Tensor, "c h2 w2"]:
    """Maps at `size`, filled up to `count` with zeros, to at least one."""
    padded = torch.zeros(max(1, count), *size)
    padded[: len(maps)] = _at_size(torch.from_numpy(maps).float(), size)
    return padded


def _at_size(maps: Float[Tensor, "n _ _"], size: tuple[int, int]) -> Float[Tensor, "n h w"]:
    """Maps resized to `size`; an image without tags has none."""
    return resize(maps[None], size)[0] if len(maps) else maps.new_zeros((0, *size))


def normalised(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Maps of one image divided by their common maximum, so that they stay comparable (IRN)."""
    return maps / maps.amax().clamp(min=1e-12) if maps.numel() else maps
