"""The random walk, one launch a step.

Each step is a launch, which begins when the one before has ended everywhere. One launch for all
steps would have its programs wait for each other, and none may wait for those that do not run yet:
a batch can have more than a GPU runs at once. Several steps of a tile in one launch would repeat a
margin of `radius - 1` pixels for each.
"""

from contextlib import nullcontext
from functools import lru_cache

import torch
import triton
from jaxtyping import Float, Int32
from torch import Tensor

from wsss.refine.affinity.paths import pair_offsets
from wsss.refine.affinity.triton_kernels.walk_kernel import step

PIXELS = 128
"""Of a program: one for each thread of four warps."""

MAPS = 4
"""Score maps of a program at most. Weights, which are the most that is read, are read once for
all of them."""


def walk_in_triton(
    scores: Float[Tensor, "b n h w"],
    affinity: Float[Tensor, "b k h w"],
    radius: int,
    exponent: float,
    num_steps: int,
    pixels: int = PIXELS,
) -> Float[Tensor, "b n h w"]:
    """As `random_walk`; a map's bytes depend on neither the maps nor the images beside it.

    Args:
        scores: as of `random_walk`, and so are all up to `num_steps`.
        affinity: likewise.
        radius: likewise.
        exponent: likewise.
        num_steps: likewise.
        pixels: of a program, a power of two.
    """
    now = scores.clone(memory_format=torch.contiguous_format)
    if now.numel() == 0:
        return now
    device = scores.device
    weights = (affinity**exponent).contiguous()
    offsets = _table(radius, device)
    after, ones = torch.empty_like(now), now.new_ones(len(now), 1, *now.shape[2:])
    shares = torch.empty_like(ones)
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        # The sums of ones are degrees.
        _step(ones, shares, weights, ones, offsets, pixels)
        shares.reciprocal_()
        for _ in range(num_steps):
            _step(now, after, weights, shares, offsets, pixels)
            now, after = after, now
    return now


def _step(
    now: Float[Tensor, "b n h w"],
    after: Float[Tensor, "b n h w"],
    weights: Float[Tensor, "b k h w"],
    shares: Float[Tensor, "b 1 h w"],
    offsets: Int32[Tensor, "k 2"],
    pixels: int,
) -> None:
    """Set `after`: one launch."""
    batch, count, height, width = now.shape
    maps = min(MAPS, triton.next_power_of_2(count))
    step[(triton.cdiv(height * width, pixels), batch, triton.cdiv(count, maps))](
        now,
        after,
        weights,
        shares,
        offsets,
        len(offsets),
        count,
        height,
        width,
        PIXELS=pixels,
        MAPS=maps,
        enable_fp_fusion=False,  # What is fused says so.
    )


@lru_cache
def _table(radius: int, device: torch.device) -> Int32[Tensor, "k 2"]:
    """Offsets on a device, where they stay: copying them waits for it."""
    return torch.tensor(pair_offsets(radius), dtype=torch.int32, device=device).view(-1, 2)
