"""The hash table of a lattice's vertices: by its key, which number a vertex has.

Open addressing with linear probing. A vertex's number is in `slots`, its key in `keys` at that
number; 0 is no vertex. Most vertices are in the first slot that is looked at, so that this is done
for a block of keys at once, without a branch, and what remains one by one.
"""

import numpy as np

from wsss.refine.dense_crf.jit import Array, compiled
from wsss.refine.dense_crf.packing import SPREAD

_FEWEST_SLOTS = 2**15
_ONE = np.uint64(1)


@compiled
def empty_table() -> tuple[Array, Array]:
    """Keys and slots of no vertex. There is room for keys of a quarter of the slots."""
    return np.zeros(_FEWEST_SLOTS // 4 + 1, np.uint64), np.zeros(_FEWEST_SLOTS, np.uint32)


@compiled
def grown(keys: Array, slots: Array, count: int) -> tuple[Array, Array]:
    """Twice the room for the first `count` vertices, the one that does not exist included."""
    more = np.zeros(2 * slots.size // 4 + 1, np.uint64)
    more[:count] = keys[:count]
    slots = np.zeros(2 * slots.size, np.uint32)
    place = place_of(slots)
    for vertex in range(1, count):
        slots[_slot_of(more[vertex], more, slots, place)] = vertex
    return more, slots


@compiled
def place_of(slots: Array) -> np.uint64:
    """How far a spread key is shifted to the number of its first slot."""
    place = np.uint64(64)
    size = slots.size
    while size > 1:
        size //= 2
        place -= _ONE
    return place


@compiled
def look(found: Array, wanted: Array, slots: Array, place: np.uint64) -> None:
    """What is in the first slots of the wanted keys: their vertices, others, or none."""
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
    """Fill in the numbers of the wanted keys; new ones go on from `count`, whose end is returned.

    Args:
        found: will hold the numbers.
        wanted: keys, as many.
        count: of vertices so far, the one that does not exist included.
        keys: of vertices, with room for all that may come.
        slots: of the table.
        remaining: scratch, as long as `found`.
    """
    place = place_of(slots)
    look(found, wanted, slots, place)
    num_remaining = 0
    for k in range(len(wanted)):
        remaining[num_remaining] = k
        num_remaining += keys[found[k]] != wanted[k]
    # They are new, or came a moment ago, or are in another slot. Which is hard to predict: all are
    # treated as if they were in the first.
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
    """The slot where a key is, or the free one where it would be."""
    mask = np.uint64(slots.size - 1)
    slot = (key * SPREAD) >> place
    while slots[slot] != 0 and keys[slots[slot]] != key:
        slot = (slot + _ONE) & mask
    return slot
