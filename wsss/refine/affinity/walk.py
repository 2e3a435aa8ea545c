"""Propagation of score maps by a random walk on pixel affinities."""

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.machine.devices import runs_triton
from wsss.refine.affinity.paths import neighbour, pair_offsets

# Shape suffixes: B = batch, N = score maps, H, W = map, K = offsets of `pair_offsets(radius)`.


@torch.no_grad()
def random_walk(
    scores: Float[Tensor, "b n h w"],
    affinity: Float[Tensor, "b k h w"],
    radius: int,
    exponent: float = 10.0,
    num_steps: int = 256,
) -> Float[Tensor, "b n h w"]:
    """Scores after `num_steps` of a walk: `T^t · scores`, with `T = D⁻¹ · A^exponent`.

    As in Ahn, Cho and Kwak, CVPR 2019, and Ahn and Kwak, CVPR 2018.

    `A^exponent` is element-wise, with 1 on the diagonal; `D` holds its row sums. A step averages
    each pixel's scores over its neighbourhood, so that scores stay within their range.

    The matrix is never built: memory holds K weights a pixel, the scores twice and three maps more,
    10 MB for one score map of 250 × 250 and a radius of 5. On CUDA a step is one launch of a kernel
    where Triton is installed, else 2 K launches, with the same sums. There are no gradients.

    Args:
        scores: maps to spread.
        affinity: of every pixel and its neighbours `pair_offsets(radius)`, in [0, 1]; values of
            neighbours outside the map are ignored.
        radius: pairs nearer than this walk, in pixels of the map.
        exponent: β, applied to affinities.
        num_steps: t; the authors square the matrix eight times, which are 256 steps.
    """
    if scores.is_cuda and runs_triton(scores.device):
        from wsss.refine.affinity.triton_kernels.walk import walk_in_triton

        return walk_in_triton(scores, affinity, radius, exponent, num_steps)
    return walk_in_torch(scores, affinity, radius, exponent, num_steps)


def walk_in_torch(
    scores: Float[Tensor, "b n h w"],
    affinity: Float[Tensor, "b k h w"],
    radius: int,
    exponent: float,
    num_steps: int,
) -> Float[Tensor, "b n h w"]:
    """As `random_walk`, on any device."""
    height, width = scores.shape[2:]
    inside = [
        (index, (down, right))
        for index, (down, right) in enumerate(pair_offsets(radius))
        if down < height and abs(right) < width
    ]
    # In raster order the step to a neighbour is one offset for all pixels of the map; weights are
    # 0 where it crosses the edge into another row.
    distances = [down * width + right for _, (down, right) in inside]
    ones = scores.new_ones((height, width))
    weights = [
        (affinity[:, index] ** exponent * neighbour(ones, offset, 0.0)).flatten(1)[:, None]
        for index, offset in inside
    ]
    degree = ones.flatten().expand(len(scores), 1, -1).clone()
    for weight, distance in zip(weights, distances, strict=True):
        kept = weight[..., :-distance]
        degree[..., :-distance] += kept
        degree[..., distance:] += kept
    share = 1 / degree
    now = scores.flatten(2).clone()
    for _ in range(num_steps):
        after = now.clone()
        for weight, distance in zip(weights, distances, strict=True):
            kept = weight[..., :-distance]
            after[..., :-distance].addcmul_(kept, now[..., distance:])
            after[..., distance:].addcmul_(kept, now[..., :-distance])
        now = after.mul_(share)
    return now.view_as(scores)
