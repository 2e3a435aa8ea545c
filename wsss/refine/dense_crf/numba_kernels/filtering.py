"""Filtering on a lattice: splat, blur and slice (Adams et al., 2010).

Vertex values are float32 [m · w]: `w` channels side by side, as many as the tuple `width` has
items.
"""

import math

import numpy as np

from wsss.refine.dense_crf.numba_kernels.jit import Array, Width, compiled
from wsss.refine.dense_crf.numba_kernels.lanes import load, store
from wsss.refine.dense_crf.numba_kernels.lattice import Lattice

_HALF = np.float32(0.5)


@compiled
def blur(values: Array, lattice: Lattice, width: Width) -> None:
    """Blur vertex values along all axes (p. 4), in place.

    Args:
        values: of the lattice's vertices; the first is 0, and one more is scratch.
        lattice: the neighbours of the vertices.
        width: channels of a vertex.
    """
    for axis in range(len(lattice.lengths)):
        chain = lattice.chains[axis, : lattice.lengths[axis]]
        _blur_axis(values, chain, lattice.num_vertices, width)


@compiled
def _blur_axis(values: Array, chain: Array, nowhere: int, width: Width) -> None:
    num = len(width)
    before = here = load(values, 0, width)
    place = nowhere
    for vertex in chain:
        after = load(values, np.int64(vertex) * num, width)
        store(values, place * num, here + _HALF * (before + after))
        before, here = here, after
        # Values written between two chains are never read, which saves a branch at their ends.
        place = int(vertex) if vertex != 0 else nowhere


@compiled
def add_blurred(values: Array, changes: Array, lattice: Lattice, width: Width) -> None:
    """Add the blurred changes to the values of vertices, and zero the changes."""
    blur(changes, lattice, width)
    for i in range(len(values)):
        values[i] += changes[i]
    changes[:] = 0


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
        for j in range(0, len(lattice.axes), 3):  # three corners, or six
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
    """Add the rows of points `moving`, counted from `start`, to their vertices."""
    corners, weights = lattice.corners, lattice.weights
    num = len(width)
    for k in moving:
        point = start + k
        change = load(rows, k * num, width)
        for j in range(len(lattice.axes)):
            vertex = np.int64(corners[point, j]) * num
            moved = load(values, vertex, width) + weights[point, j] * change
            store(values, vertex, moved)


@compiled
def normalise(lattice: Lattice, count: int, compat: float) -> None:
    """Scale barycentric weights so that splat, blur and slice are the normalised kernel × `compat`.

    The factors are the roots of `compat`, of the lattice's scale 1 / (1 + 2^-d) and of the inverse
    sum of each point's row over all `count` points.
    """
    corners, weights = lattice.corners, lattice.weights
    num = len(lattice.axes)
    scale = np.float32(1 / (1 + 2.0 ** -(num - 1)))
    values = np.zeros(lattice.num_vertices + 1, np.float32)
    for point in range(count):
        for j in range(num):
            values[corners[point, j]] += weights[point, j]
    blur(values, lattice, (0,))
    root = math.sqrt(compat * scale)
    for point in range(count):
        total = np.float32(0)
        for j in range(num):
            total += weights[point, j] * values[corners[point, j]] * scale
        factor = np.float32(root / math.sqrt(total + 1e-20))
        for j in range(num):
            weights[point, j] *= factor
