"""How well map values tell an object's pixels from others: PxAP."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric

NUM_THRESHOLDS = 1001
"""Thresholds 0, 0.001, …, 1 of the precision–recall curve."""


def threshold_counts(
    maps: Float[Tensor, "*shape"],
    objects: Bool[Tensor, "*shape"],
    valid: Bool[Tensor, "*shape"],
) -> tuple[Tensor, Tensor]:
    """Pixels whose value lies between a threshold and the next, int64 [1001] each.

    Args:
        maps: values in [0, 1].
        objects: pixels of the map's class.
        valid: pixels that have a label; others count nowhere.

    Returns:
        pixels of objects, and pixels of anything else.
    """
    # Divided on the CPU: a GPU multiplies by the rounded reciprocal, and values that equal a
    # threshold would fall below it.
    thresholds = (torch.arange(NUM_THRESHOLDS) / (NUM_THRESHOLDS - 1)).to(maps.device)
    bins = torch.bucketize(maps.float().clamp(0, 1).contiguous(), thresholds, right=True) - 1
    inside, outside = (
        torch.bincount(bins[valid & which], minlength=NUM_THRESHOLDS)
        for which in (objects, ~objects)
    )
    return inside, outside


def average_precision(inside: Tensor, outside: Tensor) -> float:
    """Area below the precision–recall curve, `Σ P_i (R_i − R_{i−1})` over falling thresholds.

    NaN where there is no object.
    """
    hits = inside.flip(0).cumsum(0).double()
    marked = hits + outside.flip(0).cumsum(0)
    precision = hits / marked.clamp(min=1)
    return float((precision * inside.flip(0)).sum() / hits[-1])


class PixelAveragePrecision(Metric):
    """Pixel average precision of all maps of a data set together: PxAP, in [0, 1].

    Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020.
    """

    full_state_update = False
    higher_is_better = True
    inside: Tensor
    outside: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("inside", "outside"):
            zeros = torch.zeros(NUM_THRESHOLDS, dtype=torch.int64)
            self.add_state(name, default=zeros, dist_reduce_fx="sum")

    def update(
        self,
        maps: Float[Tensor, "*shape"],
        objects: Bool[Tensor, "*shape"],
        valid: Bool[Tensor, "*shape"],
    ) -> None:
        """Count maps in [0, 1]: pixels of the class, and pixels that have a label."""
        inside, outside = threshold_counts(maps, objects, valid)
        self.inside += inside
        self.outside += outside

    def compute(self) -> Float[Tensor, ""]:
        """PxAP of everything counted so far."""
        area = average_precision(self.inside, self.outside)
        return torch.tensor(area, dtype=torch.float64, device=self.inside.device)
