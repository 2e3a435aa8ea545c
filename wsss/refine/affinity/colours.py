"""Colour similarity of neighbouring pixels."""

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.refine.affinity.paths import neighbour, pair_offsets

LEVELS = 255.0
"""Images are in [0, 1], standard deviations of colours in levels of 0…255."""


def colour_similarity(
    colours: Float[Tensor, "b 3 h w"], radius: int, sigma_rgb: float
) -> Float[Tensor, "b k h w"]:
    """Gaussian of the distance between every pixel's colour and its neighbours'.

    Args:
        colours: RGB in [0, 1].
        radius: pairs nearer than this.
        sigma_rgb: standard deviation in levels of 0…255.
    """
    scale = LEVELS / sigma_rgb
    pairs = [
        ((colours - neighbour(colours, offset, 0.0)) * scale).square().sum(dim=1)
        for offset in pair_offsets(radius)
    ]
    return torch.exp(-torch.stack(pairs, dim=1) / 2)
