"""How a vertex of the permutohedral lattice is written as one number of 64 bits."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from wsss.errors import user_error

KEY_BITS = 64
RESIDUE_BITS = 3
COORDINATE_BITS = 20
"""More cells along a coordinate than these tell apart, float32 cannot tell apart either."""

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: a key times this has its place in a hash table in its upper bits."""


class Packing(NamedTuple):
    """Where a key holds what.

    A vertex's coordinates are all congruent modulo d + 1. A key holds that remainder in its lowest
    three bits and the quotients above, each with room for the neighbours of its extremes.
    """

    low: Int64[np.ndarray, " d"]
    """Least quotient of each coordinate but the last, which follows from the others."""
    shift: UInt64[np.ndarray, " d"]
    """Lowest bit of each coordinate."""
    num_bits: int
    """Bits in use: what lies above is free."""
    widest: int
    """Bits of the coordinate that takes the most."""


def scales(num_dimensions: int) -> Float32[np.ndarray, " d"]:
    """Diagonal of the elevation matrix (Adams et al., p. 5) times the blur's standard deviation."""
    deviation = float(np.float32(math.sqrt(2 / 3) * (num_dimensions + 1)))
    factors = [1 / math.sqrt((i + 1) * (i + 2)) * deviation for i in range(num_dimensions)]
    return np.array(factors, dtype=np.float32)


def packing(largest: Float32[np.ndarray, " d"]) -> Packing:
    """The packing for features in [0, largest]; see `check_packing` for whether a key has room."""
    count = len(largest)
    spread = largest.astype(np.float64) * scales(count)
    lows, shifts, place = [], [], RESIDUE_BITS
    for axis in range(count):
        low = math.floor(-(axis * spread[axis - 1] if axis else 0) / (count + 1)) - 4
        high = math.ceil(spread[axis:].sum() / (count + 1)) + 4
        lows.append(low)
        shifts.append(place)
        place += (high - low).bit_length()
    starts = np.array(shifts, dtype=np.uint64)
    widest = int(np.diff([*shifts, place]).max())
    return Packing(np.array(lows, dtype=np.int64), starts, place, widest)


def check_packing(needed: Packing) -> Packing:
    """The packing itself, if a key has room for it.

    Raises:
        WsssError: it has not.
    """
    if needed.num_bits > KEY_BITS or needed.widest > COORDINATE_BITS:
        raise user_error(
            "the dense CRF",
            f"its kernel parts the image into cells whose numbers take {needed.num_bits} bits, "
            f"{needed.widest} of them along one coordinate",
            f"standard deviations with which they take {KEY_BITS}, and {COORDINATE_BITS}",
            "Raise `bilateral_sxy_px`, `bilateral_srgb` or `gaussian_sxy_px`, or take "
            "`refine/engine=pydensecrf`, which numbers cells in another way.",
        )
    return needed
