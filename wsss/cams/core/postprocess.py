"""From raw maps to seeds: the steps that are the same for every method."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

PUBLISHED_EPSILON = 1e-5

ROUNDING = 4
"""Units in the last place by which the values of a constant map may differ."""


def resize(maps: Float[Tensor, "b n h w"], size: tuple[int, int]) -> Float[Tensor, "b n h2 w2"]:
    """Bilinear resize to `size` (height, width), pixel centres aligned."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def normalise_max(maps: Float[Tensor, "n h w"], epsilon: float = 0.0) -> Float[Tensor, "n h w"]:
    """Divide non-negative maps by their maximum, so that zero stays zero: `M / max M`.

    The normalisation of weakly-supervised seeds; min-max would lift the background.

    Args:
        maps: not negative.
        epsilon: added to the maximum. Published code adds `PUBLISHED_EPSILON`, which assumes maps
            as large as logits: shares of a score may be smaller, and their seeds would never reach
            a threshold.
    """
    peak = maps.amax(dim=(1, 2), keepdim=True) + epsilon
    return maps / peak.where(peak > 0, 1)


def normalise_minmax(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Stretch maps to [0, 1]: the normalisation of explanations.

    A constant map becomes zeros. One that was summed or resized is constant up to rounding only,
    which stretching would make a map of.
    """
    low, high = (extreme(dim=(1, 2), keepdim=True) for extreme in (maps.amin, maps.amax))
    span = high - low
    varies = span > ROUNDING * torch.finfo(maps.dtype).eps * torch.maximum(low.abs(), high.abs())
    return torch.where(varies, (maps - low) / span.where(varies, 1), 0)
