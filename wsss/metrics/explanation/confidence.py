"""Change of a class's probability when its map masks the image.

`whole` is the probability of a class on the image (Y in the formulas), `kept` on the image times
its map (O), `deleted` on the image times one minus its map (D); the same class throughout.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MIN_CONFIDENCE = 1e-6
"""Pairs of image and class with a lower probability are left out."""


def counted(whole: Float[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
    """Whether a pair of image and class is probable enough for ratios."""
    return whole > MIN_CONFIDENCE


def drop(whole: Float[Tensor, "*shape"], kept: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Fraction of the probability lost, `max(0, Y − O) / Y`, in [0, 1]; NaN where Y is near zero.

    From Grad-CAM++ (Chattopadhay et al., WACV 2018), as ADCC and Recipro-CAM compute it.
    """
    return _over(whole, (whole - kept).clamp(min=0))


def increase(
    whole: Float[Tensor, "*shape"], kept: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """1 where the map alone gives the higher probability, `1[O > Y]`; NaN where Y is near zero."""
    return (kept > whole).to(whole.dtype).where(counted(whole), torch.nan)


def drop_in_deletion(
    whole: Float[Tensor, "*shape"], deleted: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Fraction of the probability lost by deletion, `(Y − D) / Y`, at most 1; may be negative.

    From LIFT-CAM (Jung and Oh, ICCV 2021). NaN where Y is near zero.
    """
    return _over(whole, whole - deleted)


def _over(
    whole: Float[Tensor, "*shape"], difference: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    usable = counted(whole)
    return (difference / whole.where(usable, 1)).where(usable, torch.nan)
