"""The simplices of pixels and the keys of their vertices, by plain torch.

Arithmetic is that of Krähenbühl's program in float32, so that every point is in the same simplex.
Operations are not fused: `torch.compile` may contract a product and a sum, which moves points to
other simplices. None is a division by a number, which torch replaces by a product on GPUs.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from wsss.refine.dense_crf.on_device.upload import Images, Levels
from wsss.refine.dense_crf.packing import KEY_BITS, Packing, scales


def locate(
    images: Images, table: Levels, layout: Packing, dimensions: int
) -> tuple[Int64[Tensor, "d1 n"], Float32[Tensor, "d1 n"]]:
    """Keys of the vertices around each point, and its barycentric weights, by remainder.

    Args:
        images: pixels and sizes; padding gets vertices with weights of 0.
        table: positions and colours in units of the kernel's standard deviations.
        layout: of the keys; the image's number is in the bits above, if there are any.
        dimensions: 2 for positions, 5 for positions and colours.
    """
    features, image, is_pixel = _features(images, table, dimensions)
    cell, rank, weights = _simplices(features)
    return _keys(cell, rank, image, layout), torch.where(is_pixel, weights, 0)


def _features(
    images: Images, table: Levels, dimensions: int
) -> tuple[Float32[Tensor, "d n"], Int64[Tensor, " n"], Bool[Tensor, " n"]]:
    """Features, number of its image, and whether it is no padding, of each point."""
    device = images.pixels.device
    features = torch.zeros(dimensions, images.starts[-1], device=device)
    image = torch.empty(images.starts[-1], dtype=torch.int64, device=device)
    is_pixel = torch.zeros_like(image, dtype=torch.bool)
    first = 0
    for number, (height, width) in enumerate(images.sizes):
        start, stop = images.starts[number : number + 2]
        own = slice(start, start + height * width)
        grid = features[:, own].view(dimensions, height, width)
        grid[0] = table.positions[:width]
        grid[1] = table.positions[:height, None]
        if dimensions > 2:
            colours = images.pixels[first : first + height * width].T.to(torch.int64)
            features[2:, own] = table.colours[colours]
        image[start:stop] = number
        is_pixel[own] = True
        first += height * width
    return features, image, is_pixel


def _simplices(
    features: Float32[Tensor, "d n"],
) -> tuple[Int64[Tensor, "d1 n"], Int64[Tensor, "d1 n"], Float32[Tensor, "d1 n"]]:
    """The remainder-0 vertex over d + 1; the rank of each coordinate of the offset; weights."""
    size = len(features) + 1
    inverse = float(np.float32(1) / np.float32(size))
    elevated = _elevated(features)
    cell = torch.round(elevated * inverse)  # to even
    rest = elevated - cell * size
    rank = torch.empty_like(rest, dtype=torch.int64)
    for i in range(size):
        # Of equal coordinates the earlier one has the lower rank.
        rank[i] = (rest[i] < rest[i + 1 :]).sum(dim=0) + (rest[:i] >= rest[i]).sum(dim=0)
    # Rounding may leave the lattice's plane: correct the coordinates of largest error.
    moved = rank + cell.sum(dim=0).to(torch.int64)
    step = (moved < 0).to(torch.int64) - (moved >= size).to(torch.int64)
    rank = moved + step * size
    cell += step
    rest = (elevated - cell * size) * inverse
    ordered = torch.empty_like(rest).scatter_(0, rank, rest).flip(0)
    first = ordered[:1] + (1 - ordered[-1:])
    return cell.to(torch.int64), rank, torch.cat([first, ordered[1:] - ordered[:-1]])


def _elevated(features: Float32[Tensor, "d n"]) -> Float32[Tensor, "d1 n"]:
    """Coordinates in the hyperplane of the lattice, which sum to 0 up to rounding."""
    elevated = features.new_zeros(len(features) + 1, features.shape[1])
    for j, scale in reversed(list(enumerate(scales(len(features)).tolist(), start=1))):
        value = features[j - 1] * scale
        elevated[j] = elevated[0] - value * j
        elevated[0] += value
    return elevated


def _keys(
    cell: Int64[Tensor, "d1 n"],
    rank: Int64[Tensor, "d1 n"],
    image: Int64[Tensor, " n"],
    layout: Packing,
) -> Int64[Tensor, "d1 n"]:
    """Keys by remainder; those of 64 bits may be negative, which sorting does not mind."""
    keys = torch.empty_like(cell)
    keys[0] = image << layout.num_bits if layout.num_bits < KEY_BITS else 0
    units = layout.units.view(np.int64).tolist()
    for own, low, unit in zip(cell, layout.low.tolist(), units, strict=False):
        keys[0] += (own - low) * unit
    # Units of each coordinate's quotient; 0 for the last, which is in no key.
    steps = torch.tensor([*units, 0], device=cell.device)
    by_rank = torch.empty_like(rank).scatter_(0, rank, steps[:, None].expand_as(rank))
    for i in range(1, len(keys)):
        # From one corner to the next all coordinates rise by 1, but that of the next rank falls by
        # d: its quotient is one less.
        keys[i] = keys[i - 1] - by_rank[-i] + 1
    return keys
