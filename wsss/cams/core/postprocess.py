"""From raw maps to seeds: the steps that are the same for every method."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

PUBLISHED_EPSILON = 1e-5

LONGEST_SUM = 4096
"""Most terms that are summed into one value of a map: twice the channels of a ResNet-50."""
RESIZED_TERMS = 4
"""Terms of a bilinear interpolation."""


def resize(maps: Float[Tensor, "b n h w"], size: tuple[int, int]) -> Float[Tensor, "b n h2 w2"]:
    """Bilinear resize to `size` (height, width), pixel centres aligned."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def normalise_max(maps: Float[Tensor, "*n h w"], epsilon: float = 0.0) -> Float[Tensor, "*n h w"]:
    """Divide non-negative maps by their maximum, so that zero stays zero: `M / max M`.

    The normalisation of weakly-supervised seeds; min-max would lift the background.

    Args:
        maps: not negative.
        epsilon: added to the maximum. Published code adds `PUBLISHED_EPSILON`, which assumes maps
            as large as logits: shares of a score may be smaller, and their seeds would never reach
            a threshold.
    """
    peak = maps.amax(dim=(-2, -1), keepdim=True) + epsilon
    return maps / peak.where(peak > 0, 1)


def normalise_minmax(
    maps: Float[Tensor, "*n h w"], dim: int | tuple[int, ...] = (-2, -1)
) -> Float[Tensor, "*n h w"]:
    """Stretch maps to [0, 1]: the normalisation of explanations.

    A constant map becomes zeros, also where rounding made its values differ (`rounding`).

    Args:
        maps: signed.
        dim: dimensions of a map.
    """
    low, high = (extreme(dim=dim, keepdim=True) for extreme in (maps.amin, maps.amax))
    span = high - low
    varies = span > rounding(maps.dtype) * torch.maximum(low.abs(), high.abs())
    return torch.where(varies, (maps - low) / span.where(varies, 1), 0)


def rounding(dtype: torch.dtype) -> float:
    """Relative difference that the order of additions may make between equal values of a map.

    Two sums of the same n terms, each added up in an order of its own, differ by at most
    `n ε Σ|terms|`, and with independent rounding errors by about `√n ε Σ|terms|` (Higham and Mary,
    A New Approach to Probabilistic Rounding Error Analysis, SIAM J. Sci. Comput. 2019). The
    first would flatten maps that do vary, as those of probabilities among a thousand classes, so it
    is the second, for `LONGEST_SUM` terms; shorter sums may cancel to some extent. Terms that all
    but cancel are not covered: the values of a map do not tell how large they were.
    Half precision is added up in single. Resizing rounds to the precision of the map.
    """
    summed = torch.promote_types(dtype, torch.float32)
    return float(
        RESIZED_TERMS * torch.finfo(dtype).eps + LONGEST_SUM**0.5 * torch.finfo(summed).eps
    )
