"""Mean-field iterations on permutohedral lattices, for few channels: one fused pass each.

With Potts compatibility label c's update is `q_c ∝ exp(K q_c − u_c)`, where K is the sum of both
normalised kernels times their weights. Only differences from the last label matter,
`u_last − u_c + K (q_c − q_last)`, so that `C − 1` channels of differences are filtered. Labels of
equal energies share a channel, weighted by their number.

Filters are linear: only changes are splatted, blurred and added to the vertex values; most pixels
converge soon. Changes are summed from zero in each iteration, since small ones added to large
values one by one would be lost in rounding. Every tenth iteration starts from all pixels again,
which bounds the accumulated rounding error.
"""

import numpy as np

from wsss.refine.dense_crf.numba_kernels.filtering import add_blurred, slice_block, splat_block
from wsss.refine.dense_crf.numba_kernels.jit import Array, Width, compiled
from wsss.refine.dense_crf.numba_kernels.lanes import to_planes, to_rows
from wsss.refine.dense_crf.numba_kernels.lattice import Lattice
from wsss.refine.dense_crf.numba_kernels.soft_max import (
    SETTLED,
    advance,
    probabilities,
    soften,
    soften_two,
)

BLOCK = 512
"""Pixels of a fused step of slice, soft-max and splat: fits the L1 and L2 caches."""

RENEWED = 10
"""Iterations after which vertex values are recomputed from all pixels."""


@compiled
def mean_field(
    energies: Array,
    first: Array,
    channel_of: Array,
    gaussian: Lattice,
    bilateral: Lattice,
    num_iterations: int,
    width: Width,
) -> Array:
    """Posteriors float32 [L, n] after `num_iterations`.

    Args:
        energies: of each label, float32 [L, n].
        first: the first label of each channel, int64 [C' + 1].
        channel_of: each label's channel, int64 [L].
        gaussian: the lattice of positions, normalised (`normalise`).
        bilateral: the lattice of positions and colours.
        num_iterations: mean-field iterations.
        width: w items, at least C': so many channels are filtered together.
    """
    num, num_points = len(first) - 1, energies.shape[1]
    copies = np.zeros(len(first), np.float32)
    for channel in channel_of:
        copies[channel] += 1
    w = len(width)
    planes, rows = np.zeros((w, BLOCK), np.float32), np.zeros(BLOCK * w, np.float32)
    top, last = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total, largest = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    current = np.zeros((num, num_points), np.float32)
    near_values = np.zeros((gaussian.num_vertices + 1) * w, np.float32)
    alike_values = np.zeros((bilateral.num_vertices + 1) * w, np.float32)
    near_changes, alike_changes = np.zeros_like(near_values), np.zeros_like(alike_values)
    posterior = np.empty_like(energies)
    moving = np.empty(BLOCK, np.int64)
    for iteration in range(num_iterations + 1):
        anew = 0 < iteration < num_iterations and iteration % RENEWED == 0
        for start in range(0, num_points, BLOCK):
            stop = min(start + BLOCK, num_points)
            count = stop - start
            rows[:] = 0
            if iteration > 0:
                slice_block(rows, start, count, gaussian, near_values, width)
                slice_block(rows, start, count, bilateral, alike_values, width)
            to_planes(planes, 0, rows, count, width)
            scratch = (top[:count], last[:count], total[:count])
            if num == 1:
                soften_two(planes, energies, first, start, copies, scratch)
            else:
                soften(planes, planes, 0, energies, first, start, copies, scratch)
            if iteration == num_iterations:
                probabilities(posterior, planes, channel_of, num, start, last[:count])
                continue
            if anew:
                current[:, start:stop] = 0
            advance(planes[:num], current, start, largest[:count])
            changed = moving[: _list_moving(moving, largest, count)]
            to_rows(rows, planes, 0, count, width)
            splat_block(near_changes, rows, changed, start, gaussian, width)
            splat_block(alike_changes, rows, changed, start, bilateral, width)
        if anew:
            near_values[:] = 0
            alike_values[:] = 0
        if iteration < num_iterations:
            add_blurred(near_values, near_changes, gaussian, width)
            add_blurred(alike_values, alike_changes, bilateral, width)
    return posterior


@compiled
def _list_moving(moving: Array, largest: Array, count: int) -> int:
    """List the pixels of a block that have not converged; branch-free."""
    found = 0
    for k in range(count):
        moving[found] = k
        found += largest[k] > SETTLED
    return found
