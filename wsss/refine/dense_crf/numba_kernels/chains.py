"""Neighbouring vertices of a lattice along each axis, as chains."""

import numpy as np

from wsss.refine.dense_crf.numba_kernels.jit import Array, compiled
from wsss.refine.dense_crf.numba_kernels.vertex_table import find, look, place_of
from wsss.refine.dense_crf.packing import RESIDUE_BITS

BLOCK = 256
"""Vertices whose neighbours are looked up at a time."""

_REMAINDER = np.uint64(2**RESIDUE_BITS - 1)


@compiled
def chains_of(keys: Array, slots: Array, steps: Array) -> tuple[Array, Array]:
    """Chains along all axes, and their lengths (see `Lattice`).

    Args:
        keys: of all vertices, the first of them the null vertex.
        slots: the hash table of their numbers.
        steps: change of a key by a step along each axis (`Packing.steps`).
    """
    num, count = len(steps), len(keys)
    chains = np.empty((num, count + count // 2 + 1), np.uint32)
    lengths = np.empty(num, np.int64)
    following = np.empty(count, np.uint32)
    follows, heads = np.zeros(count, np.bool_), np.empty(count, np.uint32)
    for axis in range(num):
        _follow(following, keys, slots, steps[axis])
        for vertex in range(count):
            follows[following[vertex]] = True
        lengths[axis] = _chain(chains[axis], following, follows, heads)
        follows[:] = False
    return chains, lengths


@compiled
def _follow(following: Array, keys: Array, slots: Array, step: Array) -> None:
    """Find each vertex's successor along an axis, +d on it and −1 elsewhere; 0 for none."""
    inside, around = step
    place = place_of(slots)
    wanted = np.empty(BLOCK, np.uint64)
    elsewhere = np.empty(BLOCK, np.int64)
    for start in range(0, len(keys), BLOCK):
        block = keys[start : start + BLOCK]
        found = following[start : start + BLOCK]
        for k in range(len(block)):
            wanted[k] = block[k] + (around if block[k] & _REMAINDER == 0 else inside)
        look(found, wanted[: len(block)], slots, place)
        num_elsewhere = 0
        for k in range(len(block)):
            is_other = keys[found[k]] != wanted[k]
            elsewhere[num_elsewhere] = k
            num_elsewhere += is_other & (found[k] != 0)
        for k in elsewhere[:num_elsewhere]:
            found[k] = find(wanted[k], keys, slots, place)
    following[0] = 0


@compiled
def _chain(chain: Array, following: Array, follows: Array, heads: Array) -> int:
    """List neighbouring vertices in order, a 0 after each chain; returns the list's length."""
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
