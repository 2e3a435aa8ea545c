"""Whether a map points at its object: the pointing game and its energy form."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torchmetrics import Metric

TOLERANCE_PX = 15
"""A point is a hit if the object is nearer than this (Zhang et al. 2018, as in TorchRay)."""


def points_at_object(
    maps: Float[Tensor, "n h w"],
    masks: Bool[Tensor, "n h w"],
    tolerance_px: float = TOLERANCE_PX,
) -> Bool[Tensor, " n"]:
    """Whether an object's pixel lies nearer than `tolerance_px` to the map's maximum.

    Strictly nearer, between the centres of pixels. Of equal maxima the first in reading order
    counts. An object without a pixel is never hit.
    """
    height, width = maps.shape[1:]
    peaks = maps.flatten(1).argmax(dim=1)
    rows = torch.arange(height, device=maps.device).view(1, -1, 1)
    columns = torch.arange(width, device=maps.device).view(1, 1, -1)
    distances_squared = (rows - (peaks // width).view(-1, 1, 1)) ** 2 + (
        columns - (peaks % width).view(-1, 1, 1)
    ) ** 2
    return (masks & (distances_squared < tolerance_px**2)).flatten(1).any(dim=1)


def energy_in_object(
    maps: Float[Tensor, "n h w"], masks: Bool[Tensor, "n h w"]
) -> Float[Tensor, " n"]:
    """Share of a non-negative map that lies in its object, `Σ_object M / Σ M`, in [0, 1].

    The energy-based pointing game of Score-CAM (Wang et al., CVPR workshops 2020), over `M[y, x]`,
    where the published code swaps the axes. A map without energy scores 0.
    """
    total = maps.sum(dim=(1, 2))
    inside = (maps * masks).sum(dim=(1, 2))
    return inside / total.where(total > 0, 1)


class PointingGame(Metric):
    """Hits over hits and misses, averaged over the classes that occur: accuracy in [0, 1].

    The energy form is averaged over images. VOC's rule that images with difficult objects only are
    left out is the caller's to follow.
    """

    full_state_update = False
    higher_is_better = True
    hits: Tensor
    totals: Tensor
    energy: Tensor

    def __init__(self, num_classes: int, tolerance_px: float = TOLERANCE_PX) -> None:
        """Count for `num_classes` classes."""
        super().__init__()
        self.tolerance_px = tolerance_px
        for name in ("hits", "totals"):
            zeros = torch.zeros(num_classes, dtype=torch.int64)
            self.add_state(name, default=zeros, dist_reduce_fx="sum")
        self.add_state("energy", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self,
        maps: Float[Tensor, "n h w"],
        masks: Bool[Tensor, "n h w"],
        classes: Int64[Tensor, " n"],
    ) -> None:
        """Count maps: non-negative, each with its object's pixels and its class 0…C-1."""
        hits = points_at_object(maps, masks, self.tolerance_px)
        self.hits.index_add_(0, classes, hits.to(torch.int64))
        self.totals.index_add_(0, classes, torch.ones_like(classes))
        self.energy += energy_in_object(maps, masks).double().sum()

    def compute(self) -> dict[str, float]:
        """`pointing` and `energy` of everything counted so far; NaN where nothing was."""
        present = self.totals > 0
        accuracy = self.hits[present].double() / self.totals[present]
        return {
            "pointing": float(accuracy.mean()),
            "energy": float(self.energy / self.totals.sum()),
        }
