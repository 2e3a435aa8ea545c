"""Values at the points of a lattice and at its vertices: slice, splat, blur (Adams et al., 2010).

Vertex values are float32 [m · w]: `w` channels side by side, as many as the tuple `width` has
items.
"""

import math

import numpy as np

from wsss.refine.dense_crf.jit import Array, Width, compiled
from wsss.refine.dense_crf.lanes import load, store
from wsss.refine.dense_crf.lattice import Lattice

_HALF = np.float32(0.5)


@compiled
def blur(values: Array, free: Array, lattice: Lattice, width: Width) -> tuple[Array, Array]:
    """Blur vertex values along all axes (p. 4), to and fro between two arrays.

    Returns:
        of `values` and `free` that of the result, then the other.
    """
    for axis in range(lattice.neighbours.shape[0]):
        _blur_axis(free, values, lattice.neighbours[axis], width)
        values, free = free, values
    return values, free


@compiled
def _blur_axis(target: Array, source: Array, near: Array, width: Width) -> None:
    num = len(width)
    for vertex in range(1, near.shape[0]):
        first, second = np.int64(near[vertex, 0]) * num, np.int64(near[vertex, 1]) * num
        beside = load(source, first, width) + load(source, second, width)
        store(target, vertex * num, load(source, vertex * num, width) + _HALF * beside)


@compiled
def slice_block(
    rows: Array, start: int, count: int, lattice: Lattice, values: Array, width: Width
) -> None:
    """Add to `rows` [count · w] the values at `count` points from `start` on."""
    corners, weights = lattice.corners, lattice.weights
    num = len(width)
    for k in range(count):
        point = start + k
        here = load(rows, k * num, width)
        for j in range(0, corners.shape[1], 3):  # three corners, or six
            first = np.int64(corners[point, j]) * num
            second = np.int64(corners[point, j + 1]) * num
            third = np.int64(corners[point, j + 2]) * num
            here = here + (
                weights[point, j] * load(values, first, width)
                + weights[point, j + 1] * load(values, second, width)
                + weights[point, j + 2] * load(values, third, width)
            )
        store(rows, k * num, here)


@compiled
def splat_block(
    values: Array, rows: Array, moving: Array, start: int, lattice: Lattice, width: Width
) -> None:
    """Add rows to the vertices of their points: of those `moving`, counted from `start` on."""
    corners, weights = lattice.corners, lattice.weights
    num = len(width)
    for k in moving:
        point = start + k
        change = load(rows, k * num, width)
        for j in range(corners.shape[1]):
            vertex = np.int64(corners[point, j]) * num
            moved = load(values, vertex, width) + weights[point, j] * change
            store(values, vertex, moved)


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
    sums, _ = blur(values, np.zeros_like(values), lattice, (0,))
    root = math.sqrt(compat * scale)
    for point in range(count):
        total = np.float32(0)
        for j in range(num):
            total += weights[point, j] * sums[corners[point, j]] * scale
        factor = np.float32(root / math.sqrt(total + 1e-20))
        for j in range(num):
            weights[point, j] *= factor
