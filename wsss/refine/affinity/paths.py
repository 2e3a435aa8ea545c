"""Pairs of neighbouring pixels, and the pixels between them."""

from functools import lru_cache

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.nn import functional as F

Offset = tuple[int, int]
"""Rows down and columns to the right, from one pixel to another."""


@lru_cache
def pair_offsets(radius: int) -> tuple[Offset, ...]:
    """From a pixel to its neighbours nearer than `radius`, each pair of pixels once.

    Of an offset and its opposite the later one in raster order is listed: 34 for a radius of 5, 152
    for 10.
    """
    reach = range(1 - radius, radius)
    return tuple(
        (down, right)
        for down in range(radius)
        for right in reach
        if (down, right) > (0, 0) and down**2 + right**2 < radius**2
    )


@lru_cache
def path(offset: Offset) -> tuple[Offset, ...]:
    """The pixels between (0, 0) and `offset`, both included, in raster order.

    Those of their bounding box whose centres are nearer than one pixel to the straight line (IRN).
    """
    down, right = offset
    box = (
        (row, column)
        for row in range(down + 1)
        for column in range(min(0, right), max(0, right) + 1)
    )
    # Twice the area of a triangle is base times height.
    return tuple(
        (row, column)
        for row, column in box
        if (down * column - right * row) ** 2 < down**2 + right**2
    )


def neighbour(
    maps: Shaped[Tensor, "*b h w"], offset: Offset, outside: float
) -> Shaped[Tensor, "*b h w"]:
    """The maps shifted by `offset`: each pixel's neighbour; `outside` beyond the map."""
    down, right = offset
    height, width = maps.shape[-2:]
    if abs(down) >= height or abs(right) >= width:
        return torch.full_like(maps, outside)
    rows = slice(max(0, down), height + min(0, down))
    columns = slice(max(0, right), width + min(0, right))
    sides = (max(0, -right), max(0, right), max(0, -down), max(0, down))
    return F.pad(maps[..., rows, columns], sides, value=outside)
