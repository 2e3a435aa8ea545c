"""The permutohedral lattice of a set of points: their simplices, and neighbouring vertices.

Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010. Arithmetic is that of Krähenbühl's program in float32, so that every point is in
the same simplex: rounding to even, strict comparisons, no fused operations.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt32

from wsss.refine.dense_crf.numba_kernels.chains import chains_of
from wsss.refine.dense_crf.numba_kernels.jit import Array, Axes, compiled
from wsss.refine.dense_crf.numba_kernels.vertex_table import empty_table, grown, number
from wsss.refine.dense_crf.packing import check_packing, packing, scales

BLOCK = 256
"""Points located at a time: fits the L1 cache, and is long enough for SIMD."""

_NONE, _ONE = np.uint64(0), np.uint64(1)


class Lattice(NamedTuple):
    """Vertices are numbered from 1, roughly in order of appearance; 0 is the null vertex."""

    corners: UInt32[np.ndarray, "n d1"]
    """The vertices of every point's simplex, by remainder."""
    weights: Float32[np.ndarray, "n d1"]
    """Their barycentric weights, scaled by `normalise`."""
    chains: UInt32[np.ndarray, "d1 l"]
    """Per axis the chains of neighbouring vertices, a 0 after each; isolated ones are left out."""
    lengths: Int64[np.ndarray, " d1"]
    """Used length of each row of `chains`."""
    num_vertices: int
    """With the null vertex."""
    axes: Axes
    """As many items as there are axes."""


def build_lattice(features: Float32[np.ndarray, "d n"]) -> Lattice:
    """The lattice of points in units of the kernel's standard deviation.

    Raises:
        WsssError: the points spread over more cells than float32 resolves.
    """
    layout = check_packing(packing(features.max(axis=1)))
    arrays = (scales(len(features)), layout.low, layout.units, layout.steps())
    return Lattice(*_build(features, *arrays), (0,) * (len(features) + 1))


@compiled
def _locate(
    features: Array,
    start: int,
    count: int,
    scales: Array,
    elevated: Array,
    rest: Array,
    cell: Array,
    rank: Array,
) -> None:
    """Find the simplices of a block of points.

    Outputs per coordinate: `cell`, the remainder-0 vertex over d + 1; `rank` of the offset from it;
    `rest`, that offset over d + 1. All are [d + 1 (and one row of scratch for `rank`), BLOCK].
    """
    num = len(elevated)
    one, zero = np.float32(1), np.float32(0)
    size = np.float32(num)
    inverse = one / size
    excess = rank[num]
    for k in range(count):
        elevated[0, k] = zero
        excess[k] = zero
    for j in range(num - 1, 0, -1):
        factor, scale = np.float32(j), scales[j - 1]
        for k in range(count):
            value = features[j - 1, start + k] * scale
            elevated[j, k] = elevated[0, k] - factor * value
            elevated[0, k] += value
    for i in range(num):
        for k in range(count):
            nearest = np.rint(inverse * elevated[i, k])
            cell[i, k] = nearest
            excess[k] += nearest
            rest[i, k] = elevated[i, k] - nearest * size
            rank[i, k] = zero
    for i in range(num - 1):
        for j in range(i + 1, num):
            for k in range(count):
                less = one if rest[i, k] < rest[j, k] else zero
                rank[i, k] += less
                rank[j, k] += one - less
    for i in range(num):
        for k in range(count):
            # Rounding may leave the lattice's plane: correct the coordinates of largest error.
            moved = rank[i, k] + excess[k]
            step = (one if moved < zero else zero) - (one if moved >= size else zero)
            rank[i, k] = moved + step * size
            cell[i, k] += step
            rest[i, k] = (elevated[i, k] - cell[i, k] * size) * inverse


@compiled
def _weigh(rest: Array, rank: Array, ordered: Array, weights: Array) -> None:
    """Barycentric weights of a block of points, by remainder: `weights` [points, d + 1]."""
    count, num = weights.shape
    for i in range(num):
        for j in range(num):
            _take(ordered[i, :count], rest[j, :count], rank[j, :count], np.float32(i))
    for k in range(count):
        weights[k, 0] = ordered[num - 1, k] + (np.float32(1) - ordered[0, k])
        for i in range(1, num):
            weights[k, i] = ordered[num - 1 - i, k] - ordered[num - i, k]


@compiled
def _take(target: Array, values: Array, ranks: Array, rank: np.float32) -> None:
    """Copy the values of one rank; branch-free."""
    for k in range(len(target)):
        value, other = values[k], target[k]
        target[k] = value if ranks[k] == rank else other


@compiled
def _pack(cell: Array, rank: Array, count: int, low: Array, units: Array, wanted: Array) -> None:
    """Keys of the vertices around a block of points, by remainder: `wanted` [d + 1, BLOCK]."""
    num = len(wanted)
    for k in range(count):
        wanted[0, k] = _NONE
    for j in range(num - 1):
        least, unit = low[j], units[j]
        for k in range(count):
            wanted[0, k] += np.uint64(np.int64(cell[j, k]) - least) * unit
    for i in range(1, num):
        # From one corner to the next all coordinates rise by 1, but that of the next rank falls by
        # d: its quotient is one less.
        for k in range(count):
            wanted[i, k] = wanted[i - 1, k] + _ONE
        for j in range(num - 1):
            unit = units[j]
            for k in range(count):
                wanted[i, k] -= unit if rank[j, k] == np.float32(num - i) else _NONE


@compiled
def _build(
    features: Array, scales: Array, low: Array, units: Array, steps: Array
) -> tuple[Array, Array, Array, Array, int]:
    """Corners, weights, chains, … (see `Lattice`)."""
    num_points = features.shape[1]
    num = len(steps)
    corners = np.empty((num_points, num), np.uint32)
    weights = np.empty((num_points, num), np.float32)
    elevated = np.zeros((num, BLOCK), np.float32)
    rest = np.empty((num, BLOCK), np.float32)
    cell = np.empty((num, BLOCK), np.float32)
    rank = np.empty((num + 1, BLOCK), np.float32)
    wanted = np.empty((num, BLOCK), np.uint64)
    found, remaining = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.int64)
    keys, slots = empty_table()
    count = 1
    for start in range(0, num_points, BLOCK):
        stop = min(start + BLOCK, num_points)
        points = stop - start
        _locate(features, start, points, scales, elevated, rest, cell, rank)
        _weigh(rest, rank, elevated, weights[start:stop])
        _pack(cell, rank, points, low, units, wanted)
        while count + num * points > len(keys):
            keys, slots = grown(keys, slots, count)
        for i in range(num):
            here = found[:points]
            count = number(here, wanted[i, :points], count, keys, slots, remaining)
            for k in range(points):
                corners[start + k, i] = here[k]
    chains, lengths = chains_of(keys[:count], slots, steps)
    return corners, weights, chains, lengths, count
