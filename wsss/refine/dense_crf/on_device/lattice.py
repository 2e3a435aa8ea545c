"""The permutohedral lattices of the points of several images, built by sorting on any device.

Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010. The lattice of one image is that of `numba_kernels/lattice.py`; those of a batch
are disconnected, as keys include the image's index. A batch takes as many launches as an image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from wsss.refine.dense_crf.on_device.operations import Operations
from wsss.refine.dense_crf.on_device.rows import Splat, joined, places_of, splat_of
from wsss.refine.dense_crf.on_device.upload import send
from wsss.refine.dense_crf.packing import RESIDUE_BITS, Packing


class Lattice(NamedTuple):
    """`compat` times the normalised kernel of points: splat, blur along each axis, slice.

    Vertices are numbered from 1, by key; 0 is the null vertex, whose value is 0.
    """

    corners: Int32[Tensor, "d1 n"]
    """The vertices of every point's simplex, by remainder; [n d1] for operations `rows_first`."""
    weights: Float32[Tensor, "d1 n"]
    """The weights of the slice, likewise."""
    splat: Splat
    """The sums at the vertices."""
    neighbours: Int32[Tensor, "d1 m 2"]
    """Per axis the vertices before and after each; 0 where there is none."""

    @property
    def num_vertices(self) -> int:
        """With the null vertex."""
        return self.neighbours.shape[1]


def build_lattice(
    keys: Int64[Tensor, "d1 n"],
    weights: Float32[Tensor, "d1 n"],
    layout: Packing,
    compat: float,
    operations: Operations,
) -> Lattice:
    """The lattice of located points; waits twice for the device.

    Splat and slice each include the inverse root of a point's row sum, slice also `compat` and the
    lattice's scale 1 / (1 + 2^-d).
    """
    # A vertex has one remainder, so that the stable sort orders its entries by point.
    found, entries = keys.flatten().sort(stable=True)
    is_first = torch.ones_like(found, dtype=torch.bool)
    torch.ne(found[1:], found[:-1], out=is_first[1:])
    numbers = is_first.cumsum(dim=0)
    num_vertices = int(numbers[-1])
    corners = torch.empty_like(numbers, dtype=torch.int32)
    corners.scatter_(0, entries, numbers.to(torch.int32))
    corners = corners.view(keys.shape)
    place = torch.arange(len(found), device=keys.device)
    offsets = torch.full((num_vertices + 1,), len(found), device=keys.device)
    # All that do not start a vertex go to the last place, which is filled afterwards.
    offsets.scatter_(0, torch.where(is_first, numbers - 1, num_vertices), place)
    offsets[-1] = len(found)
    neighbours = next_to_each_other(found[offsets[:-1]], layout)
    places = places_of(entries, offsets)
    first = operations.rows_first
    del found, entries, numbers, is_first, place
    plain = splat_of(places, weights, first)
    values = operations.filtered(weights.new_ones(keys.shape[1], 1), plain, neighbours)[:, 0]
    sums = torch.zeros_like(weights[0])
    for corner, weight in zip(corners, weights, strict=True):  # in order, whatever the batch is
        sums += weight * values[corner]
    scale = 1 / (1 + 2.0 ** -(len(keys) - 1))
    normalised = weights * torch.rsqrt(sums * scale + 1e-20)
    sliced = normalised * (compat * scale)
    if first:
        corners, sliced = corners.T.contiguous(), sliced.T.contiguous()
    return Lattice(corners, sliced, splat_of(places, normalised, first), neighbours)


def next_to_each_other(keys: Int64[Tensor, " m"], layout: Packing) -> Int32[Tensor, "d1 m1 2"]:
    """Numbers of the vertices before and after each along every axis: +d on it and −1 elsewhere.

    Args:
        keys: of all vertices but the null vertex, in order.
        layout: of the keys.
    """
    steps = send(layout.steps().view(np.int64), keys.device)
    has_remainder = (keys & ((1 << RESIDUE_BITS) - 1)) != 0
    wanted = keys + torch.where(has_remainder, steps[:, :1], steps[:, 1:])
    found = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    after = torch.where(keys[found] == wanted, found + 1, 0)
    neighbours = after.new_zeros(len(steps), len(keys) + 1, 2, dtype=torch.int32)
    neighbours[:, 1:, 1] = after
    # The inverse: a vertex has one predecessor at most; what has no successor writes to vertex 0.
    here = torch.arange(1, len(keys) + 1, device=keys.device, dtype=torch.int32)
    neighbours[:, :, 0].scatter_(1, after, here.expand_as(after))
    neighbours[:, 0] = 0
    return neighbours


def side_by_side(lattices: Sequence[Lattice], starts: Sequence[int], rows_first: bool) -> Lattice:
    """Lattices of one image each as a lattice of all, in which they are disconnected.

    Args:
        lattices: of the images.
        starts: the first point of each image.
        rows_first: how tables lie in memory.
    """
    if len(lattices) == 1:
        return lattices[0]
    counts = [lattice.num_vertices - 1 for lattice in lattices]
    added = [sum(counts[:index]) for index in range(len(counts))]
    dim = 0 if rows_first else 1
    pairs = list(zip(lattices, added, strict=True))
    null = torch.zeros_like(lattices[0].neighbours[:, :1])
    return Lattice(
        torch.cat([one.corners + add for one, add in pairs], dim),
        torch.cat([one.weights for one in lattices], dim),
        joined([one.splat for one in lattices], starts, added, rows_first),
        torch.cat([null, *(moved(one.neighbours[:, 1:], add) for one, add in pairs)], 1),
    )


def moved(neighbours: Int32[Tensor, "d1 m 2"], added: int) -> Int32[Tensor, "d1 m 2"]:
    """Neighbours with larger numbers; the null vertex keeps its own."""
    return torch.where(neighbours > 0, neighbours + added, 0)
