"""The hash table from keys to numbers of a lattice's vertices.

Open addressing with linear probing. `slots` hold vertex numbers, `keys` the key of each number; 0
is the null vertex. Most vertices are in their first slot, which is probed branch-free for a block
of keys; the others follow one by one.
"""

import numpy as np

from wsss.refine.dense_crf.numba_kernels.jit import Array, compiled
from wsss.refine.dense_crf.packing import SPREAD

_FEWEST_SLOTS = 2**15
_ONE = np.uint64(1)


@compiled
def empty_table() -> tuple[Array, Array]:
    """Keys and slots without a vertex; the load factor is at most 1/4."""
    return np.zeros(_FEWEST_SLOTS // 4 + 1, np.uint64), np.zeros(_FEWEST_SLOTS, np.uint32)


@compiled
def grown(keys: Array, slots: Array, count: int) -> tuple[Array, Array]:
    """A table of twice the size with the first `count` vertices, the null vertex included."""
    more = np.zeros(2 * slots.size // 4 + 1, np.uint64)
    more[:count] = keys[:count]
    slots = np.zeros(2 * slots.size, np.uint32)
    place = place_of(slots)
    for vertex in range(1, count):
        slots[_slot_of(more[vertex], more, slots, place)] = vertex
    return more, slots


@compiled
def place_of(slots: Array) -> np.uint64:
    """Right shift from the hash of a key to its first slot."""
    place = np.uint64(64)
    size = slots.size
    while size > 1:
        size //= 2
        place -= _ONE
    return place


@compiled
def look(found: Array, wanted: Array, slots: Array, place: np.uint64) -> None:
    """Vertices in the first slots of the wanted keys: theirs, others, or 0."""
    for k in range(len(wanted)):
        found[k] = slots[(wanted[k] * SPREAD) >> place]


@compiled
def find(key: np.uint64, keys: Array, slots: Array, place: np.uint64) -> np.uint32:
    """The number of the vertex with a key; 0 if there is none."""
    return slots[_slot_of(key, keys, slots, place)]  # type: ignore[no-any-return]


@compiled
def number(
    found: Array, wanted: Array, count: int, keys: Array, slots: Array, remaining: Array
) -> int:
    """Look up or insert the wanted keys; new vertices are numbered from `count`; returns the count.

    Args:
        found: output, the vertex of each key.
        wanted: the keys.
        count: of vertices so far, the null vertex included.
        keys: of vertices, with room for all new ones.
        slots: of the table.
        remaining: scratch, as long as `found`.
    """
    place = place_of(slots)
    look(found, wanted, slots, place)
    num_remaining = 0
    for k in range(len(wanted)):
        remaining[num_remaining] = k
        num_remaining += keys[found[k]] != wanted[k]
    # They are new, just inserted, or in another slot. As this is hard to predict, all are treated
    # branch-free as if in the first slot.
    num_elsewhere = 0
    for item in range(num_remaining):
        k = remaining[item]
        key = wanted[k]
        slot = (key * SPREAD) >> place
        taken = np.uint32(slots[slot])
        vertex = np.uint32(count) if taken == 0 else taken
        there = keys[vertex]
        keys[vertex] = key if taken == 0 else there
        slots[slot] = vertex
        count += taken == 0
        found[k] = vertex
        remaining[num_elsewhere] = k
        num_elsewhere += (taken != 0) & (there != key)
    for k in remaining[:num_elsewhere]:
        slot = _slot_of(wanted[k], keys, slots, place)
        if slots[slot] == 0:
            slots[slot] = count
            keys[count] = wanted[k]
            count += 1
        found[k] = slots[slot]
    return count


@compiled
def _slot_of(key: np.uint64, keys: Array, slots: Array, place: np.uint64) -> np.uint64:
    """The slot of a key, or the free one for it (linear probing)."""
    mask = np.uint64(slots.size - 1)
    slot = (key * SPREAD) >> place
    while slots[slot] != 0 and keys[slots[slot]] != key:
        slot = (slot + _ONE) & mask
    return slot
