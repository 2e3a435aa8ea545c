"""Which vertices of a lattice touch along an axis, as chains from one to the next."""

import numpy as np

from wsss.refine.dense_crf.jit import Array, Axes, compiled
from wsss.refine.dense_crf.packing import SPREAD

_ONE = np.uint64(1)


@compiled
def chains_of(
    keys: Array, slots: Array, count: int, log2: int, axes: Axes, shift: Array
) -> tuple[Array, Array]:
    """Chains along all axes, and their lengths (see `Lattice`).

    Args:
        keys: of `count` vertices, the first of which does not exist.
        slots: the hash table of their numbers.
        count: of vertices.
        log2: of the number of slots.
        axes: as many items as there are axes.
        shift: lowest bit of each coordinate in a key.
    """
    num = len(axes)
    chains = np.empty((num, count + count // 2 + 1), np.uint32)
    lengths = np.empty(num, np.int64)
    following = np.zeros(count, np.uint32)
    follows, heads = np.zeros(count, np.bool_), np.empty(count, np.uint32)
    for axis in range(num):
        _follow(following, follows, keys, slots, log2, axis, shift)
        lengths[axis] = _chain(chains[axis], following, follows, heads)
    return chains, lengths


@compiled
def _follow(
    following: Array,
    follows: Array,
    keys: Array,
    slots: Array,
    log2: int,
    axis: int,
    shift: Array,
) -> None:
    """Find each vertex's next along an axis, +d on it and −1 elsewhere; 0 where there is none."""
    last = len(shift)
    mask = np.uint64(slots.size - 1)
    place = np.uint64(64 - log2)
    ones = np.uint64(0)
    for i in range(last):
        ones += _ONE << shift[i]
    rise = _ONE << shift[axis] if axis < last else np.uint64(0)
    inside = rise - _ONE  # the remainder falls
    around = rise - ones + np.uint64(last)  # from remainder 0 to d: every quotient falls
    follows[:] = False
    for vertex in range(1, len(following)):
        key = keys[vertex]
        key += around if key & np.uint64(7) == 0 else inside
        slot = (key * SPREAD) >> place
        other = slots[slot]
        # Whether there is such a vertex cannot be predicted: no branch but for collisions.
        there = keys[other] == key
        if (not there) & (other != 0):
            while other != 0 and keys[other] != key:
                slot = (slot + _ONE) & mask
                other = slots[slot]
            there = other != 0
        other = other if there else np.uint32(0)
        following[vertex] = other
        follows[other] = True


@compiled
def _chain(chain: Array, following: Array, follows: Array, heads: Array) -> int:
    """List vertices that touch one after the other, a 0 after each chain; of what length it is."""
    num_heads = length = 0
    for vertex in range(1, len(following)):
        heads[num_heads] = vertex
        num_heads += (following[vertex] != 0) & (not follows[vertex])
    for head in heads[:num_heads]:
        vertex = head
        while vertex != 0:
            chain[length] = vertex
            length += 1
            vertex = following[vertex]
        chain[length] = 0
        length += 1
    return length
