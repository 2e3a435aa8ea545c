"""How a vertex of the permutohedral lattice is written as one number of 64 bits."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from wsss.errors import UnsupportedError

KEY_BITS = 64
RESIDUE_BITS = 3
COORDINATE_BITS = 20
"""More cells along a coordinate than these tell apart, float32 cannot tell apart either."""

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: a key times this has its place in a hash table in its upper bits."""

_MIXED = np.array(
    [0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
     0x510E527FADE682D1],
    dtype=np.uint64,
)  # fmt: skip
"""The fractions of √2, √3, √5, √7, √11: bits without a pattern."""


class Packing(NamedTuple):
    """Which part of a key says what.

    A vertex's coordinates are all congruent modulo d + 1. A key is that remainder, in its lowest
    three bits, plus the quotients above `low` times their units, modulo 2^64. It is linear: along
    an axis all keys change by the same number.

    Units are powers of 2, each with room for the neighbours of the coordinate below it, so that no
    two vertices have the same key. Where 64 bits have no room for that (deviations of a small part
    of a pixel or level) they are large odd numbers times 8: then a key belongs to two of m
    vertices, or to one and a neighbour that another lacks, with a probability of 13 m² / 2^62. That
    is 10^-4 for a megapixel of noise.
    """

    low: Int64[np.ndarray, " d"]
    """Least quotient of each coordinate but the last, which follows from the others."""
    units: UInt64[np.ndarray, " d"]
    """What one quotient of each coordinate adds to a key."""
    num_bits: int
    """Bits that are needed for keys without a doubt: of up to 64, what lies above is free."""
    widest: int
    """Bits of the coordinate that takes the most."""

    def steps(self) -> UInt64[np.ndarray, "d1 2"]:
        """What a step along each axis, +d on it and −1 elsewhere, adds to a vertex's key.

        First where the remainder falls by 1; then where it is 0 and becomes d, for which every
        quotient falls.
        """
        rises = np.append(self.units, np.uint64(0))
        falls = np.full_like(rises, self.units.sum(dtype=np.uint64))
        return np.stack([rises - np.uint64(1), rises - falls + np.uint64(len(self.units))], axis=1)


def scales(num_dimensions: int) -> Float32[np.ndarray, " d"]:
    """Diagonal of the elevation matrix (Adams et al., p. 5) times the blur's standard deviation."""
    deviation = float(np.float32(math.sqrt(2 / 3) * (num_dimensions + 1)))
    factors = [1 / math.sqrt((i + 1) * (i + 2)) * deviation for i in range(num_dimensions)]
    return np.array(factors, dtype=np.float32)


def packing(largest: Float32[np.ndarray, " d"]) -> Packing:
    """The packing for features in [0, largest], whether or not they can be told apart."""
    count = len(largest)
    spread = largest.astype(np.float64) * scales(count)
    lows, places, place = [], [], RESIDUE_BITS
    for axis in range(count):
        low = math.floor(-(axis * spread[axis - 1] if axis else 0) / (count + 1)) - 4
        high = math.ceil(spread[axis:].sum() / (count + 1)) + 4
        lows.append(low)
        places.append(place)
        place += (high - low).bit_length()
    widest = int(np.diff([*places, place]).max())
    one = np.uint64(1)
    if place > KEY_BITS:
        units = (_MIXED[:count] | one) << np.uint64(RESIDUE_BITS)
    else:
        units = one << np.array(places, dtype=np.uint64)
    return Packing(np.array(lows, dtype=np.int64), units, place, widest)


def check_packing(needed: Packing) -> Packing:
    """The packing itself, if its coordinates are numbers that float32 can tell apart.

    Raises:
        WsssError: they are not.
    """
    if needed.widest > COORDINATE_BITS:
        raise UnsupportedError(
            "the dense CRF",
            f"its kernel parts the image into cells whose numbers take {needed.widest} bits along "
            "one coordinate",
            f"standard deviations with which they take {COORDINATE_BITS}",
            "Raise `bilateral_sxy_px`, `bilateral_srgb` or `gaussian_sxy_px`.",
        )
    return needed
