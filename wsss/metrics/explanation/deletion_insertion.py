"""Deletion and insertion curves (Petsiuk et al., RISE, BMVC 2018) and the area below them."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

RISE_STEP_PX = 224
"""Pixels of a step in RISE: 224 steps for an image of 224 × 224."""

Confidence = Callable[[Tensor], Tensor]
"""From images [m, 3, h, w] to the probability [m] of the explained class on each."""


def replacement_ranks(maps: Float[Tensor, "h w"]) -> Int64[Tensor, "h w"]:
    """Place 0, 1, … of every cell in the order of decreasing map values.

    Equal values keep their order in the image, row by row.
    """
    order = maps.flatten().argsort(descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device)
    return ranks.view(maps.shape)


def num_steps(num_cells: int, step: int) -> int:
    """Number of steps of `step` cells until all are replaced; the last may be smaller."""
    return -(-num_cells // step)


def replacement_curve(
    confidence: Confidence,
    start: Float[Tensor, "3 H W"],
    finish: Float[Tensor, "3 H W"],
    maps: Float[Tensor, "h w"],
    step: int = RISE_STEP_PX,
    batch_size: int = 32,
) -> Float[Tensor, " s1"]:
    """Probability of a class while `start` becomes `finish`, most important cells first.

    From an image to a plain substrate this is RISE's deletion, from a blurred image to the image
    its insertion. A map as large as the image replaces pixels, as in RISE; a smaller one replaces
    cells of the feature map, as in Recipro-CAM (with `step=1`).

    Args:
        confidence: probability of the explained class on images.
        start: the first image of the curve.
        finish: the last one.
        maps: importance of each cell; only its order counts.
        step: cells replaced between two points of the curve.
        batch_size: images a call of `confidence`.

    Returns:
        [steps + 1]: the first value belongs to `start`, the last one to `finish`.
    """
    ranks = replacement_ranks(maps)
    size = (start.shape[-2], start.shape[-1])
    # Ranks of small maps stay exact in float64, which resizing needs.
    ranks = F.interpolate(ranks[None, None].double(), size=size, mode="nearest-exact")[0, 0]
    reached = step * torch.arange(num_steps(maps.numel(), step) + 1, device=ranks.device)
    return torch.cat(
        [
            confidence(torch.where(ranks < some.view(-1, 1, 1, 1), finish, start))
            for some in torch.split(reached, batch_size)
        ]
    )


def area_below(curve: Float[Tensor, "*batch s1"]) -> Float[Tensor, "*batch"]:
    """Area below a curve of n + 1 values over [0, 1]: `(Σ s − s_0/2 − s_n/2) / n`."""
    ends = (curve[..., 0] + curve[..., -1]) / 2
    return (curve.sum(dim=-1) - ends) / (curve.shape[-1] - 1)
