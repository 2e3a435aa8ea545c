"""Where the strongest pixels between neighbours are, in one launch."""

from contextlib import nullcontext
from functools import lru_cache

import torch
import triton
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from wsss.refine.affinity.paths import pair_offsets, path
from wsss.refine.affinity.triton_kernels.strongest_kernel import strongest

BLOCK = 256
"""Values that a program starts from."""


def strongest_steps_in_triton(
    flat: Float[Tensor, "b m"], length: int, row: int, radius: int, block: int = BLOCK
) -> Int64[Tensor, "b k _"]:
    """As `strongest_steps`.

    Args:
        flat: as of `strongest_steps`, and so are all up to `radius`.
        length: likewise.
        row: likewise.
        radius: likewise.
        block: values that a program starts from, a power of two.
    """
    device = flat.device
    pixels, starts = _paths(radius, device)
    batch, num_pairs = len(flat), len(starts) - 1
    steps = torch.empty(batch, num_pairs, length, dtype=torch.int64, device=device)
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        strongest[(triton.cdiv(length, block), num_pairs, batch)](
            flat.contiguous(),
            steps,
            pixels,
            starts,
            flat.shape[1],
            length,
            row,
            num_pairs,
            BLOCK=block,
        )
    return steps


@lru_cache
def _paths(radius: int, device: torch.device) -> tuple[Int32[Tensor, "p 2"], Int32[Tensor, " k1"]]:
    """Pixels of all paths on a device, where they stay, and where each path's start."""
    paths = [path(offset) for offset in pair_offsets(radius)]
    lengths = torch.tensor([0, *map(len, paths)])
    pixels = torch.tensor([pixel for one in paths for pixel in one], dtype=torch.int32)
    return pixels.view(-1, 2).to(device), lengths.cumsum(0).int().to(device)
