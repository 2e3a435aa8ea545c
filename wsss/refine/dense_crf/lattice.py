"""The permutohedral lattice of a set of points: where each lies, and which vertices touch.

Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010. Arithmetic is that of Krähenbühl's program in float32, so that every point falls
into the same simplex: roundings to even, strict comparisons, no fused operations.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt32

from wsss.refine.dense_crf.chains import chains_of
from wsss.refine.dense_crf.jit import Array, Axes, compiled
from wsss.refine.dense_crf.packing import SPREAD, check_packing, packing, scales

BLOCK = 256
"""Points that are located together: small enough for the nearest cache, long enough for vectors."""

_FIRST_SLOTS_LOG2 = 15
_KNOWN_LOG2 = 14
_ONE = np.uint64(1)


class Lattice(NamedTuple):
    """Vertices are numbered from 1 in order of appearance; 0 stands for those that do not exist."""

    corners: UInt32[np.ndarray, "n d1"]
    """The vertices of every point's simplex, by remainder."""
    weights: Float32[np.ndarray, "n d1"]
    """Their barycentric weights, or what a kernel makes of them."""
    chains: UInt32[np.ndarray, "d1 l"]
    """Per axis the vertices that touch, one after the other, and a 0 after each chain of them.

    Those that touch no other are left out.
    """
    lengths: Int64[np.ndarray, " d1"]
    """How much of each row of `chains` is in use."""
    num_vertices: int
    """With the one that does not exist."""
    axes: Axes
    """As many items as there are axes."""


def build_lattice(features: Float32[np.ndarray, "d n"]) -> Lattice:
    """The lattice of points in units of the kernel's standard deviation.

    Raises:
        WsssError: the points spread over more cells than a 64-bit key can tell apart.
    """
    axes = (0,) * (len(features) + 1)
    low, shift, *_ = check_packing(packing(features.max(axis=1)))
    return Lattice(*_build(features, axes, scales(len(features)), low, shift), axes)


@compiled
def _locate(
    features: Array,
    start: int,
    count: int,
    axes: Axes,
    scales: Array,
    elevated: Array,
    rest: Array,
    cell: Array,
    rank: Array,
) -> None:
    """Find the simplices of a block of points.

    Fills per coordinate: `cell`, the remainder-0 vertex over d + 1; `rank` of the offset from it;
    `rest`, that offset over d + 1. All are [d + 1 (and one row of scratch for `rank`), BLOCK].
    """
    num = len(axes)
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
            # Rounding may have left the lattice's plane: step back along the worst coordinates.
            moved = rank[i, k] + excess[k]
            step = (one if moved < zero else zero) - (one if moved >= size else zero)
            rank[i, k] = moved + step * size
            cell[i, k] += step
            rest[i, k] = (elevated[i, k] - cell[i, k] * size) * inverse


@compiled
def _pack(
    cell: Array,
    rank: Array,
    count: int,
    axes: Axes,
    low: Array,
    shift: Array,
    bases: Array,
    orders: Array,
) -> None:
    """Keys of the remainder-0 vertices, and the ranks of all coordinates as one number."""
    for k in range(count):
        bases[k] = 0
        orders[k] = 0
    for i in range(len(axes) - 1):
        least, place = low[i], shift[i]
        for k in range(count):
            bases[k] += np.uint64(np.int64(cell[i, k]) - least) << place
            orders[k] |= np.int64(rank[i, k]) << np.int64(3 * i)


@compiled
def _grown(keys: Array, count: int, log2: int) -> tuple[Array, Array]:
    """Twice the room of a hash table with 2^log2 slots."""
    slots = np.zeros(2 << log2, np.uint32)
    mask = np.uint64(slots.size - 1)
    place = np.uint64(63 - log2)
    for vertex in range(1, count):
        slot = (keys[vertex] * SPREAD) >> place
        while slots[slot] != 0:
            slot = (slot + _ONE) & mask
        slots[slot] = vertex
    more = np.zeros(slots.size // 2 + 8, np.uint64)
    more[:count] = keys[:count]
    return more, slots


@compiled
def _build(
    features: Array, axes: Axes, scales: Array, low: Array, shift: Array
) -> tuple[Array, Array, Array, Array, int]:
    """Corners, weights, chains, … (see `Lattice`); `axes` is a tuple of d + 1 items.

    Its length is known to the compiler, which unrolls the loops over coordinates.
    """
    num_points = features.shape[1]
    num = len(axes)
    last = num - 1
    corners = np.empty((num_points, num), np.uint32)
    weights = np.empty((num_points, num), np.float32)
    elevated = np.empty((num, BLOCK), np.float32)
    rest = np.empty((num, BLOCK), np.float32)
    cell = np.empty((num, BLOCK), np.float32)
    rank = np.empty((num + 1, BLOCK), np.float32)
    bases = np.empty(BLOCK, np.uint64)
    orders = np.empty(BLOCK, np.int64)
    ordered = np.empty(num, np.float32)
    steps = np.empty(num, np.uint64)
    log2 = _FIRST_SLOTS_LOG2
    slots = np.zeros(1 << log2, np.uint32)
    keys = np.zeros(slots.size // 2 + 8, np.uint64)
    count = 1
    # Simplices seen lately. A point shares its simplex with its neighbours more often than not.
    known_base = np.zeros(1 << _KNOWN_LOG2, np.uint64)
    known_order = np.full(1 << _KNOWN_LOG2, -1, np.int64)
    known_point = np.zeros(1 << _KNOWN_LOG2, np.int64)
    for start in range(0, num_points, BLOCK):
        block = min(BLOCK, num_points - start)
        _locate(features, start, block, axes, scales, elevated, rest, cell, rank)
        _pack(cell, rank, block, axes, low, shift, bases, orders)
        for k in range(block):
            point = start + k
            for i in range(num):
                ordered[np.uint64(rank[i, k])] = rest[i, k]
            weights[point, 0] = ordered[last] + (np.float32(1) - ordered[0])
            for i in range(1, num):
                weights[point, i] = ordered[last - i] - ordered[num - i]
            base, order = bases[k], orders[k]
            known = ((base + np.uint64(order) * SPREAD) * SPREAD) >> np.uint64(64 - _KNOWN_LOG2)
            if known_base[known] == base and known_order[known] == order:
                same = known_point[known]
                for i in range(num):
                    corners[point, i] = corners[same, i]
                continue
            known_base[known], known_order[known], known_point[known] = base, order, point
            if count + num > slots.size // 4:
                keys, slots = _grown(keys, count, log2)
                log2 += 1
            mask = np.uint64(slots.size - 1)
            place = np.uint64(64 - log2)
            for i in range(last):
                steps[np.uint64(rank[i, k])] = _ONE << shift[i]
            steps[np.uint64(rank[last, k])] = 0
            key = base
            for i in range(num):
                # From one corner to the next all coordinates rise by 1, but that of the next rank
                # falls by d: its quotient is one less.
                if i > 0:
                    key = key - steps[num - i] + _ONE
                slot = (key * SPREAD) >> place
                vertex = slots[slot]
                while keys[vertex] != key:
                    if vertex == 0:
                        vertex = np.uint32(count)
                        slots[slot] = vertex
                        keys[vertex] = key
                        count += 1
                        break
                    slot = (slot + _ONE) & mask
                    vertex = slots[slot]
                corners[point, i] = vertex
    chains, lengths = chains_of(keys, slots, count, log2, axes, shift)
    return corners, weights, chains, lengths, count
