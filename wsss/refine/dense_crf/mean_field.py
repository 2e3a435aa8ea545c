"""Mean-field iterations on permutohedral lattices: one fused pass over the pixels for each.

With Potts compatibility label c's update is `q_c ∝ exp(K q_c − u_c)`, where K is the sum of both
normalised kernels times their weights. Only differences from the last label matter,
`u_last − u_c + K (q_c − q_last)`, so that `C − 1` channels of differences are filtered. Labels of
the same energies share a channel, whose multiplicity counts them.

Filters are linear: only what changed is splatted and blurred, and added to the values of vertices.
Most pixels soon have no change. Sums of changes begin at zero in each iteration; added to what was
there before, one after the other, the small ones would be lost in rounding.
"""

import numpy as np

from wsss.refine.dense_crf.filtering import blur, slice_block, splat_block
from wsss.refine.dense_crf.jit import Array, Width, compiled
from wsss.refine.dense_crf.lattice import Lattice
from wsss.refine.dense_crf.soft_max import SETTLED, advance, soften, soften_two

BLOCK = 512
"""Pixels of a fused step: sliced, soft-maxed and splatted while they are in the near caches."""


@compiled
def _to_planes(planes: Array, rows: Array, count: int, width: Width) -> None:
    for k in range(count):
        for c in range(len(width)):
            planes[c, k] = rows[k * len(width) + c]


@compiled
def _to_rows(rows: Array, planes: Array, count: int, width: Width) -> None:
    for k in range(count):
        for c in range(len(width)):
            rows[k * len(width) + c] = planes[c, k]


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
        width: w items, for that many channels are filtered together; C' is filled up to groups.
    """
    num, num_points = len(first) - 1, energies.shape[1]
    copies = np.zeros(len(first), np.float32)
    for channel in channel_of:
        copies[channel] += 1
    w = len(width)
    groups = (num + w - 1) // w
    planes = np.zeros((groups * w, BLOCK), np.float32)
    rows = np.zeros((groups, BLOCK * w), np.float32)
    top, last = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total, largest = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    current = np.zeros((num, num_points), np.float32)
    near, alike = gaussian.neighbours.shape[1] * w, bilateral.neighbours.shape[1] * w
    near_changes = np.zeros((groups, near), np.float32)
    alike_changes = np.zeros((groups, alike), np.float32)
    near_values, alike_values = np.zeros_like(near_changes), np.zeros_like(alike_changes)
    near_free, alike_free = np.zeros(near, np.float32), np.zeros(alike, np.float32)
    posterior = np.empty_like(energies)
    moved = np.zeros(groups, np.bool_)
    moving = np.empty(BLOCK, np.int64)
    for iteration in range(num_iterations + 1):
        for start in range(0, num_points, BLOCK):
            stop = min(start + BLOCK, num_points)
            count = stop - start
            for group in range(groups):
                rows[group] = 0
                if moved[group]:
                    slice_block(rows[group], start, count, gaussian, near_values[group], width)
                    slice_block(rows[group], start, count, bilateral, alike_values[group], width)
                _to_planes(planes[group * w :], rows[group], count, width)
            scratch = (top[:count], last[:count], total[:count])
            if num == 1:
                soften_two(planes, energies, first, start, copies, scratch)
            else:
                soften(planes, energies, first, start, copies, scratch)
            if iteration == num_iterations:
                _finish(posterior, planes, channel_of, start, last[:count])
                continue
            for group in range(groups):
                channels = slice(group * w, min(group * w + w, num))
                advance(planes[channels], current[channels], start, largest[:count])
                num_moving = _list_moving(moving, largest, count)
                if num_moving > 0:
                    moved[group] = True
                    change, who = rows[group], moving[:num_moving]
                    _to_rows(change, planes[group * w :], count, width)
                    splat_block(near_changes[group], change, who, start, gaussian, width)
                    splat_block(alike_changes[group], change, who, start, bilateral, width)
        for group in range(groups):
            if moved[group] and iteration < num_iterations:
                _blur_onto(near_values[group], near_changes[group], near_free, gaussian, width)
                _blur_onto(alike_values[group], alike_changes[group], alike_free, bilateral, width)
    return posterior


@compiled
def _list_moving(moving: Array, largest: Array, count: int) -> int:
    """List the pixels of a block that are not settled, without a branch for each."""
    found = 0
    for k in range(count):
        moving[found] = k
        found += largest[k] > SETTLED
    return found


@compiled
def _finish(posterior: Array, planes: Array, channel_of: Array, start: int, last: Array) -> None:
    """Probabilities of all labels from differences and `last`, those of the last channel."""
    for label in range(len(posterior)):
        target, channel = posterior[label, start : start + len(last)], channel_of[label]
        if channel < channel_of.max():
            plane = planes[channel]
            for k in range(len(last)):
                target[k] = last[k] + plane[k]
        else:
            target[:] = last


@compiled
def _blur_onto(values: Array, changes: Array, free: Array, lattice: Lattice, width: Width) -> None:
    """Add the blurred changes to the values of vertices, and leave no change."""
    blurred, _ = blur(changes, free, lattice, width)
    for i in range(len(values)):
        values[i] += blurred[i]
    changes[:] = 0
