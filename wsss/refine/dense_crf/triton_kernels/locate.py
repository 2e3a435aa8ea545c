"""The kernel that finds the simplices of pixels: keys of their vertices and barycentric weights.

Arithmetic is that of `numba_kernels/lattice.py`, so that every point is in the same simplex.
"""

import numpy as np
import triton
import triton.language as tl

NEAREST = tl.constexpr(12582912.0)
"""1.5 · 2^23: added and subtracted, it rounds a float32 below 2^22 to an integer, ties to even."""

INVERSE_3 = tl.constexpr(float(np.float32(1) / np.float32(3)))
INVERSE_6 = tl.constexpr(float(np.float32(1) / np.float32(6)))


@triton.jit(do_not_specialize=["num_points"])
def locate(
    pixels,
    images,
    positions,
    colours,
    scales,
    layout,
    keys,
    weights,
    num_points,
    DIMENSIONS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Locate a block of one image's points; grid: blocks of the largest image, images.

    Args:
        pixels: uint8 [p, 3].
        images: int64 [b, 4], see `Images.table`.
        positions: float32, features of columns and rows.
        colours: float32 [256], those of levels.
        scales: float32 [d], see `packing.scales`.
        layout: int64 [2 d + 1]: least quotients, units, and the unit of the image's number.
        keys: output, int64 [d + 1, n], by remainder.
        weights: output, float32 [d + 1, n], likewise; 0 for padding.
        num_points: n.
        DIMENSIONS: d: 2 for positions, 5 for positions and colours.
        BLOCK: points of a program.
    """
    image = tl.program_id(1)
    start = tl.load(images + image * 4)
    count = tl.load(images + image * 4 + 1).to(tl.int32)
    width = tl.load(images + image * 4 + 2).to(tl.int32)
    first = tl.load(images + image * 4 + 3)
    own = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    is_pixel = own < count
    # A point at the origin follows, if the number of pixels is no multiple of four.
    exists = own < count + (count % 4 > 0).to(tl.int32)
    SIZE: tl.constexpr = DIMENSIONS + 1
    total = tl.zeros([BLOCK], tl.float32)
    elevated = ()
    for j in tl.static_range(DIMENSIONS, 0, -1):
        if j == 1:
            feature = tl.load(positions + own % width, mask=is_pixel, other=0.0)
        elif j == 2:
            feature = tl.load(positions + own // width, mask=is_pixel, other=0.0)
        else:
            level = tl.load(pixels + (first + own) * 3 + (j - 3), mask=is_pixel, other=0)
            feature = tl.load(colours + level.to(tl.int32), mask=is_pixel, other=0.0)
        value = feature * tl.load(scales + (j - 1))
        elevated = (total - value * j,) + elevated
        total += value
    elevated = (total,) + elevated
    cell, rest, excess = _nearest(elevated, SIZE)
    rank, cell, rest = _ranked(elevated, cell, rest, excess, SIZE)
    place = start + own
    last = _at_rank(rest, rank, 0, SIZE)
    before = _at_rank(rest, rank, DIMENSIONS, SIZE)
    weight = tl.where(is_pixel, before + (1.0 - last), 0.0)
    tl.store(weights + place, weight, mask=exists)
    key = tl.zeros([BLOCK], tl.int64) + image.to(tl.int64) * tl.load(layout + 2 * DIMENSIONS)
    for j in tl.static_range(DIMENSIONS):
        least = tl.load(layout + j)
        key += (cell[j].to(tl.int64) - least) * tl.load(layout + DIMENSIONS + j)
    tl.store(keys + place, key, mask=exists)
    for i in tl.static_range(1, SIZE):
        after = _at_rank(rest, rank, DIMENSIONS - i, SIZE)
        weight = tl.where(is_pixel, after - before, 0.0)
        before = after
        # All coordinates rise by 1, but that of the next rank falls by d: its quotient by one.
        key += 1
        for j in tl.static_range(DIMENSIONS):
            falls = rank[j] == SIZE - i
            key -= tl.where(falls, tl.load(layout + DIMENSIONS + j), 0)
        target = i * num_points.to(tl.int64) + place
        tl.store(weights + target, weight, mask=exists)
        tl.store(keys + target, key, mask=exists)


@triton.jit
def _nearest(elevated, SIZE: tl.constexpr):
    """The nearest remainder-0 vertices over d + 1, offsets from them, and the quotients' sum."""
    inverse: tl.constexpr = INVERSE_3 if SIZE == 3 else INVERSE_6
    cell = ()
    rest = ()
    excess = tl.zeros_like(elevated[0])
    for i in tl.static_range(SIZE):
        nearest = (elevated[i] * inverse + NEAREST) - NEAREST
        excess += nearest
        cell = cell + (nearest,)
        rest = rest + (elevated[i] - nearest * SIZE,)
    return cell, rest, excess


@triton.jit
def _ranked(elevated, cell, rest, excess, SIZE: tl.constexpr):
    """Ranks of the offsets, 0 the largest; cells and offsets over d + 1 in the lattice's plane."""
    inverse: tl.constexpr = INVERSE_3 if SIZE == 3 else INVERSE_6
    ranks = ()
    cells = ()
    rests = ()
    for i in tl.static_range(SIZE):
        rank = excess.to(tl.int32)
        for j in tl.static_range(SIZE):
            # Of equal coordinates the earlier one has the lower rank.
            if j > i:
                rank += (rest[i] < rest[j]).to(tl.int32)
            if j < i:
                rank += (rest[j] >= rest[i]).to(tl.int32)
        # Rounding may leave the plane: correct the coordinates of largest error.
        step = (rank < 0).to(tl.int32) - (rank >= SIZE).to(tl.int32)
        right = cell[i] + step.to(tl.float32)
        ranks = ranks + (rank + step * SIZE,)
        cells = cells + (right,)
        rests = rests + ((elevated[i] - right * SIZE) * inverse,)
    return ranks, cells, rests


@triton.jit
def _at_rank(rest, rank, wanted: tl.constexpr, SIZE: tl.constexpr):
    """The offset of a rank."""
    found = tl.zeros_like(rest[0])
    for j in tl.static_range(SIZE):
        found = tl.where(rank[j] == wanted, rest[j], found)
    return found
