"""Keys of the vertices of a permutohedral lattice as 64-bit integers."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from wsss.errors import UnsupportedError

KEY_BITS = 64
RESIDUE_BITS = 3
COORDINATE_BITS = 20
"""Resolution of float32: most bits of a coordinate."""

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Multiplier of Fibonacci hashing, 2^64 over the golden ratio; the upper bits are the hash."""

_MIXED = np.array(
    [0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
     0x510E527FADE682D1],
    dtype=np.uint64,
)  # fmt: skip
"""The fractions of √2, √3, √5, √7, √11: bits without a pattern."""


class Packing(NamedTuple):
    """The layout of a key.

    A vertex's coordinates are all congruent modulo d + 1. A key is that remainder, in its lowest
    three bits, plus the quotients above `low` times their units, modulo 2^64. It is linear: a step
    along an axis changes all keys by the same number.

    Units are powers of 2, each with room for the neighbours of the coordinate below it, so that no
    two vertices have the same key. If 64 bits do not suffice (standard deviations of a small
    fraction of a pixel or level), units are large odd numbers times 8; then keys of m vertices and
    their neighbours collide with a probability of 13 m² / 2^62, 10^-4 for a megapixel of noise.
    """

    low: Int64[np.ndarray, " d"]
    """Least quotient of each coordinate but the last, which follows from the others."""
    units: UInt64[np.ndarray, " d"]
    """Unit of each coordinate's quotient in a key."""
    num_bits: int
    """Bits of collision-free keys; if at most 64, the higher ones are free."""
    widest: int
    """Bits of the largest coordinate."""

    def steps(self) -> UInt64[np.ndarray, "d1 2"]:
        """Change of a key by a step along each axis, +d on it and −1 elsewhere.

        Column 0: the remainder falls by 1; column 1: it wraps from 0 to d, and every quotient
        falls.
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
    """The packing for features in [0, largest]; see `check_packing` for its limits."""
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
    """The packing itself, if float32 resolves its coordinates.

    Raises:
        WsssError: it does not.
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
