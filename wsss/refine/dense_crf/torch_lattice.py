"""The permutohedral lattices of the points of several images, built by sorting on any device.

Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010. The lattice of one image is that of `lattice.py`; those of a batch are
disconnected, as keys include the image's index. A batch takes as many launches as an image.

Arithmetic is that of Krähenbühl's program in float32, so that every point is in the same simplex.
Operations are not fused: `torch.compile` may contract a product and a sum, which moves points to
other simplices. None is a division by a number, which torch replaces by a product on GPUs.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int32, Int64
from torch import Tensor

from wsss.refine.dense_crf.packing import KEY_BITS, RESIDUE_BITS, Packing, scales


class Vertices(NamedTuple):
    """All vertices, sorted by key, with the points in their simplices."""

    keys: Int64[Tensor, " m"]
    corners: Int32[Tensor, "n d1"]
    """The vertices of every point's simplex, by remainder."""
    weights: Float32[Tensor, "n d1"]
    """The point's barycentric weights."""
    entries: Int64[Tensor, " e"]
    """Corners (point · (d + 1) + remainder), sorted by vertex, then by point."""
    offsets: Int32[Tensor, " m1"]
    """Where each vertex's entries start; then their number."""


class Simplices(NamedTuple):
    """The simplices of points."""

    cell: Int64[Tensor, "d1 n"]
    """The remainder-0 vertex over d + 1."""
    rank: Int64[Tensor, "d1 n"]
    """The rank of each coordinate of the offset from it, 0 for the largest."""
    weights: Float32[Tensor, "d1 n"]
    """Barycentric weights, by remainder."""


def locate(features: Float32[Tensor, "d n"]) -> Simplices:
    """Find the simplex of each point, in units of the kernel's standard deviation."""
    count = len(features)
    size = count + 1
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
    return Simplices(cell.to(torch.int64), rank, torch.cat([first, ordered[1:] - ordered[:-1]]))


def _elevated(features: Float32[Tensor, "d n"]) -> Float32[Tensor, "d1 n"]:
    """Coordinates in the hyperplane of the lattice, which sum to 0 up to rounding."""
    elevated = features.new_zeros(len(features) + 1, features.shape[1])
    for j, scale in reversed(list(enumerate(scales(len(features)).tolist(), start=1))):
        value = features[j - 1] * scale
        elevated[j] = elevated[0] - value * j
        elevated[0] += value
    return elevated


def corner_keys(
    simplices: Simplices, image: Int64[Tensor, " n"], layout: Packing
) -> Int64[Tensor, "n d1"]:
    """Keys of the vertices around each point, with the image's index in the highest bits.

    Keys of 64 bits may be negative, which does not affect sorting and searching.
    """
    key = image << layout.num_bits if layout.num_bits < KEY_BITS else torch.zeros_like(image)
    units = layout.units.view(np.int64).tolist()
    for cell, low, unit in zip(simplices.cell, layout.low.tolist(), units, strict=False):
        key = key + (cell - low) * unit
    # Units of each coordinate's quotient; 0 for the last, which is in no key.
    steps = torch.tensor([*units, 0], device=key.device)
    by_rank = torch.empty_like(simplices.rank)
    by_rank.scatter_(0, simplices.rank, steps[:, None].expand_as(by_rank))
    keys = key.new_empty(len(key), len(steps))
    keys[:, 0] = key
    for i in range(1, len(steps)):
        # From one corner to the next all coordinates rise by 1, but that of the next rank falls by
        # d: its quotient is one less.
        keys[:, i] = keys[:, i - 1] - by_rank[-i] + 1
    return keys


def build_vertices(
    features: Float32[Tensor, "d n"],
    image: Int64[Tensor, " n"],
    exists: Bool[Tensor, " n"],
    layout: Packing,
) -> Vertices:
    """The lattices of points of several images.

    Args:
        features: in units of the kernel's standard deviation.
        image: number of each point's image.
        exists: false for padding, whose vertices exist with weights of 0.
        layout: a packing for all features and images.
    """
    simplices = locate(features)
    keys = corner_keys(simplices, image, layout)
    weights = torch.where(exists, simplices.weights, 0).T.contiguous()
    del simplices
    # A vertex has one remainder, so that the stable sort orders its entries by point.
    found, entries = keys.flatten().sort(stable=True)
    is_first = torch.ones_like(found, dtype=torch.bool)
    torch.ne(found[1:], found[:-1], out=is_first[1:])
    starts = is_first.nonzero().squeeze(1)
    numbers = (is_first.cumsum(dim=0) - 1).to(torch.int32)
    corners = torch.empty_like(numbers).scatter_(0, entries, numbers).view(keys.shape)
    total = torch.full_like(starts[:1], len(found))
    offsets = torch.cat([starts, total]).to(torch.int32)
    return Vertices(found[starts], corners, weights, entries, offsets)


def next_vertices(
    keys: Int64[Tensor, " m"], axis: int, layout: Packing
) -> tuple[Int64[Tensor, " m"], Bool[Tensor, " m"]]:
    """The next vertex of each vertex along an axis: +d on it and −1 elsewhere; and if it exists."""
    inside, around = layout.steps()[axis].view(np.int64).tolist()
    has_remainder = (keys & ((1 << RESIDUE_BITS) - 1)) != 0
    wanted = keys + torch.where(has_remainder, inside, around)
    found = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    return found, keys[found] == wanted
