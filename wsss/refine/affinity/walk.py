"""Spreading scores by a random walk between pixels that belong together."""

from jaxtyping import Float
from torch import Tensor

from wsss.refine.affinity.paths import neighbour, pair_offsets

# Shape suffixes: B = batch, N = score maps, H, W = map, K = offsets of `pair_offsets(radius)`.


def random_walk(
    scores: Float[Tensor, "b n h w"],
    affinity: Float[Tensor, "b k h w"],
    radius: int,
    exponent: float = 10.0,
    num_steps: int = 256,
) -> Float[Tensor, "b n h w"]:
    """Scores after `num_steps` of a walk: `T^t · scores`, with `T = D⁻¹ · A^exponent`.

    As in Ahn, Cho and Kwak, CVPR 2019, and Ahn and Kwak, CVPR 2018.

    `A^exponent` is taken element by element and holds 1 for a pixel and itself; `D` has its row
    sums. Each step replaces a pixel's scores by an average over its neighbourhood, so that a
    constant map stays as it is and no score leaves the range of the others.

    The matrix is never built, let alone its powers: K weights a pixel, the scores twice and three
    maps more are all that is held, 10 MB for one score map of 250 × 250 and a radius of 5.

    Args:
        scores: maps to spread.
        affinity: of every pixel and its neighbours `pair_offsets(radius)`, in [0, 1]; pairs that
            leave the map do not count, whatever is there.
        radius: pairs nearer than this walk, in pixels of the map.
        exponent: β, how much strong affinities outweigh weak ones.
        num_steps: t; the authors square the matrix eight times, which are 256 steps.
    """
    height, width = scores.shape[2:]
    inside = [
        (index, (down, right))
        for index, (down, right) in enumerate(pair_offsets(radius))
        if down < height and abs(right) < width
    ]
    # In raster order a step to a neighbour is one distance for all pixels of the map. Where it
    # would run over the edge into another row the weight is 0.
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
