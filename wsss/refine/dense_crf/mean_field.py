"""Mean-field iterations on permutohedral lattices: one fused pass over the pixels for each.

With Potts compatibility label c's update is `q_c ∝ exp(K q_c − u_c)`, where K is the sum of both
normalised kernels times their weights. Only differences from the last label matter,
`u_last − u_c + K (q_c − q_last)`, so that `C − 1` channels of differences are filtered. Labels of
the same energies share a channel, whose multiplicity counts them.
"""

import math

import numpy as np

from wsss.refine.dense_crf.jit import Array, Channels, compiled, compiled_loosely
from wsss.refine.dense_crf.lattice import Lattice

BLOCK = 128
"""Pixels of a fused step: sliced, soft-maxed and splatted while they are in the nearest cache."""

SETTLED = np.float32(2.0**-24)
"""Differences that changed by no more since they were splatted are not splatted again."""

_MOST = np.float32(80)  # e^80 is a float32 still, and a probability of e^-80 none
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_BIAS = np.int32(127)
_MANTISSA_BITS = np.int32(23)


@compiled
def blur(
    values: Array, scratch: tuple[Array, Array], lattice: Lattice, channels: Channels
) -> tuple[Array, Array]:
    """Blur vertex values float32 [m · C'] along all axes (Adams et al., p. 4).

    `values` is kept: the first axis writes into the first array of `scratch`.

    Returns:
        of the two arrays of `scratch` that of the result, then the free one.
    """
    one, other = scratch
    _blur_axis(one, values, lattice.neighbours[0], channels)
    for axis in range(1, lattice.neighbours.shape[0]):
        _blur_axis(other, one, lattice.neighbours[axis], channels)
        one, other = other, one
    return one, other


@compiled
def _blur_axis(target: Array, source: Array, near: Array, channels: Channels) -> None:
    num = len(channels)
    for vertex in range(1, near.shape[0]):
        here = vertex * num
        first = np.int64(near[vertex, 0]) * num
        second = np.int64(near[vertex, 1]) * num
        for c in range(num):
            target[here + c] = source[here + c] + _HALF * (source[first + c] + source[second + c])


@compiled
def normalise(lattice: Lattice, count: int, compat: float) -> None:
    """Make barycentric weights those of `compat` times the symmetrically normalised kernel.

    With the new weights a splat, a blur and a slice are that kernel: they hold the roots of the
    weight, of the lattice's scale 1 / (1 + 2^-d) and of each point's sum over all `count` points.
    """
    corners, weights = lattice.corners, lattice.weights
    num = corners.shape[1]
    scale = np.float32(1 / (1 + 2.0 ** -(num - 1)))
    values = np.zeros(lattice.neighbours.shape[1], np.float32)
    for point in range(count):
        for j in range(num):
            values[corners[point, j]] += weights[point, j]
    sums, _ = blur(values, (np.zeros_like(values), np.zeros_like(values)), lattice, (0,))
    root = math.sqrt(compat * scale)
    for point in range(count):
        total = _ZERO
        for j in range(num):
            total += weights[point, j] * sums[corners[point, j]] * scale
        factor = np.float32(root / math.sqrt(total + 1e-20))
        for j in range(num):
            weights[point, j] *= factor


@compiled
def _slice(
    rows: Array, start: int, count: int, lattice: Lattice, values: Array, channels: Channels
) -> None:
    """Add the values at a block of points to `rows`, three corners at a time."""
    corners, weights = lattice.corners, lattice.weights
    num = len(channels)
    for k in range(count):
        point, here = start + k, k * num
        for j in range(0, corners.shape[1], 3):
            w0, w1, w2 = weights[point, j], weights[point, j + 1], weights[point, j + 2]
            v0 = np.int64(corners[point, j]) * num
            v1 = np.int64(corners[point, j + 1]) * num
            v2 = np.int64(corners[point, j + 2]) * num
            for c in range(num):
                rows[here + c] += w0 * values[v0 + c] + w1 * values[v1 + c] + w2 * values[v2 + c]


@compiled
def _splat(
    values: Array,
    rows: Array,
    largest: Array,
    start: int,
    count: int,
    lattice: Lattice,
    channels: Channels,
) -> None:
    """Add the changes of a block of points to the vertices, where they are not settled."""
    corners, weights = lattice.corners, lattice.weights
    num = len(channels)
    for k in range(count):
        if largest[k] > SETTLED:
            point, here = start + k, k * num
            for j in range(corners.shape[1]):
                weight = weights[point, j]
                vertex = np.int64(corners[point, j]) * num
                for c in range(num):
                    values[vertex + c] += weight * rows[here + c]


@compiled_loosely
def _exp(x: np.float32) -> np.float32:
    """e^x for x in [-87, 88], to 2 ulps: Cephes' polynomial, in a form that vectorises."""
    whole = np.floor(x * np.float32(1.44269504) + _HALF)
    x = x - whole * np.float32(0.693359375)
    x = x + whole * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    y = y * x * x + x + _ONE
    return y * np.int32((np.int32(whole) + _BIAS) << _MANTISSA_BITS).view(np.float32)


@compiled_loosely
def _soften(
    planes: Array,
    base: Array,
    start: int,
    count: int,
    copies: Array,
    top: Array,
    last: Array,
    total: Array,
) -> None:
    """Turn messages `K (q_c − q_last)` into the next `q_c − q_last`: a soft-max of differences."""
    num = planes.shape[0]
    for k in range(count):
        top[k] = _ZERO
    for c in range(num):
        for k in range(count):
            x = planes[c, k] + base[c, start + k]
            planes[c, k] = x
            top[k] = x if x > top[k] else top[k]
    lasts = copies[num]
    for k in range(count):
        e = _exp(-top[k] if top[k] < _MOST else -_MOST)
        last[k] = e
        total[k] = e * lasts
    for c in range(num):
        times = copies[c]
        for k in range(count):
            x = planes[c, k] - top[k]
            e = _exp(x if x > -_MOST else -_MOST)
            planes[c, k] = e
            total[k] += e * times
    for k in range(count):
        total[k] = _ONE / total[k]
    for c in range(num):
        for k in range(count):
            planes[c, k] = (planes[c, k] - last[k]) * total[k]


@compiled
def _advance(planes: Array, current: Array, start: int, count: int, largest: Array) -> None:
    """Leave in `planes` their distance from `current`, which follows where it is not settled."""
    for k in range(count):
        largest[k] = _ZERO
    for c in range(planes.shape[0]):
        for k in range(count):
            change = planes[c, k] - current[c, start + k]
            planes[c, k] = change
            largest[k] = max(largest[k], abs(change))
    for c in range(planes.shape[0]):
        for k in range(count):
            current[c, start + k] += planes[c, k] if largest[k] > SETTLED else _ZERO


@compiled
def mean_field(
    base: Array,
    copies: Array,
    gaussian: Lattice,
    bilateral: Lattice,
    num_iterations: int,
    channels: Channels,
) -> Array:
    """Differences `q_c − q_last` float32 [C', n] after `num_iterations`.

    Args:
        base: `u_last − u_c`, float32 [C', n].
        copies: how many labels each channel and the last stand for, float32 [C' + 1].
        gaussian: the lattice of positions, normalised (`normalise`).
        bilateral: the lattice of positions and colours.
        num_iterations: mean-field iterations.
        channels: C' items: a tuple, whose length the compiler knows and unrolls, or an array.
    """
    num, num_points = base.shape
    planes = np.empty((num, BLOCK), np.float32)
    rows = np.empty(BLOCK * num, np.float32)
    top, last = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total, largest = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    current = np.zeros((num, num_points), np.float32)
    near = gaussian.neighbours.shape[1] * num
    alike = bilateral.neighbours.shape[1] * num
    near_sums, alike_sums = np.zeros(near, np.float32), np.zeros(alike, np.float32)
    near_values, near_free = np.zeros(near, np.float32), np.zeros(near, np.float32)
    alike_values, alike_free = np.zeros(alike, np.float32), np.zeros(alike, np.float32)
    for iteration in range(num_iterations + 1):
        for start in range(0, num_points, BLOCK):
            count = min(BLOCK, num_points - start)
            rows[:] = _ZERO
            if iteration > 0:
                _slice(rows, start, count, gaussian, near_values, channels)
                _slice(rows, start, count, bilateral, alike_values, channels)
            for c in range(num):
                for k in range(count):
                    planes[c, k] = rows[k * num + c]
            _soften(planes, base, start, count, copies, top, last, total)
            _advance(planes, current, start, count, largest)
            if iteration == num_iterations:
                continue
            for c in range(num):
                for k in range(count):
                    rows[k * num + c] = planes[c, k]
            _splat(near_sums, rows, largest, start, count, gaussian, channels)
            _splat(alike_sums, rows, largest, start, count, bilateral, channels)
        if iteration < num_iterations:
            near_values, near_free = blur(near_sums, (near_values, near_free), gaussian, channels)
            alike_values, alike_free = blur(
                alike_sums, (alike_values, alike_free), bilateral, channels
            )
    return current
