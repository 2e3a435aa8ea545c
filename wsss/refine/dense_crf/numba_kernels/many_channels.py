"""Mean-field iterations for many channels, filtered in groups.

The same mathematics as in `mean_field`. The vertex values of all channels would exceed the caches;
groups are filtered one after the other in the same memory. Unchanged groups are skipped: most
labels occur nowhere in an image.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64

from wsss.refine.dense_crf.numba_kernels.filtering import blur, slice_block, splat_block
from wsss.refine.dense_crf.numba_kernels.jit import Array, Width, compiled
from wsss.refine.dense_crf.numba_kernels.lanes import to_planes, to_rows
from wsss.refine.dense_crf.numba_kernels.lattice import Lattice
from wsss.refine.dense_crf.numba_kernels.mean_field import BLOCK
from wsss.refine.dense_crf.numba_kernels.soft_max import SETTLED, advance, probabilities, soften


def grouped_mean_field(
    energies: Float32[np.ndarray, "l n"],
    first: Int64[np.ndarray, " c1"],
    channel_of: Int64[np.ndarray, " l"],
    gaussian: Lattice,
    bilateral: Lattice,
    num_iterations: int,
    widths: Sequence[int],
) -> Float32[np.ndarray, "l n"]:
    """Posteriors after `num_iterations`.

    Args:
        energies: of each label.
        first: the first label of each channel.
        channel_of: each label's channel.
        gaussian: the lattice of positions, normalised (`normalise`).
        bilateral: the lattice of positions and colours.
        num_iterations: mean-field iterations.
        widths: channels of each group.
    """
    ends = np.cumsum(widths)
    starts = ends - widths
    copies = np.bincount(channel_of).astype(np.float32)
    current = np.zeros((ends[-1], energies.shape[1]), np.float32)
    messages = np.zeros_like(current)
    near, alike = (
        np.empty((one.num_vertices + 1) * max(widths), np.float32) for one in (gaussian, bilateral)
    )
    for _ in range(num_iterations):
        moved = _update(messages, energies, first, copies, current, starts, ends)
        for group, width in enumerate(widths):
            if moved[group]:
                own = slice(starts[group], ends[group])
                _filter(messages[own], current[own], gaussian, bilateral, near, alike, (0,) * width)
    posterior = np.empty_like(energies)
    _conclude(posterior, messages, energies, first, copies, channel_of)
    return posterior


@compiled
def _update(
    messages: Array,
    energies: Array,
    first: Array,
    copies: Array,
    current: Array,
    starts: Array,
    ends: Array,
) -> Array:
    """Update `current` differences of probabilities [C', n] from the messages.

    Returns:
        Whether each group of channels has changed.
    """
    num_points = energies.shape[1]
    planes = np.zeros((len(messages), BLOCK), np.float32)
    top, last = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total, largest = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    moved = np.zeros(len(starts), np.bool_)
    for start in range(0, num_points, BLOCK):
        count = min(BLOCK, num_points - start)
        scratch = (top[:count], last[:count], total[:count])
        soften(planes, messages, start, energies, first, start, copies, scratch)
        for group in range(len(starts)):
            own = slice(starts[group], ends[group])
            advance(planes[own], current[own], start, largest[:count])
            moved[group] |= largest[:count].max() > SETTLED
    return moved


@compiled
def _conclude(
    posterior: Array,
    messages: Array,
    energies: Array,
    first: Array,
    copies: Array,
    channel_of: Array,
) -> None:
    """Compute the posterior [L, n] from the messages [C', n]."""
    num_points = energies.shape[1]
    planes = np.empty((len(messages), BLOCK), np.float32)
    top, last = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total = np.empty(BLOCK, np.float32)
    for start in range(0, num_points, BLOCK):
        count = min(BLOCK, num_points - start)
        scratch = (top[:count], last[:count], total[:count])
        soften(planes, messages, start, energies, first, start, copies, scratch)
        probabilities(posterior, planes, channel_of, len(first) - 1, start, last[:count])


@compiled
def _filter(
    messages: Array,
    current: Array,
    gaussian: Lattice,
    bilateral: Lattice,
    near_room: Array,
    alike_room: Array,
    width: Width,
) -> None:
    """Messages [c, n] from current values: both kernels applied to at most w channels."""
    w, num_points = len(width), current.shape[1]
    near = near_room[: (gaussian.num_vertices + 1) * w]
    alike = alike_room[: (bilateral.num_vertices + 1) * w]
    near[:] = 0
    alike[:] = 0
    rows = np.empty(BLOCK * w, np.float32)
    every_point = np.arange(BLOCK)
    for start in range(0, num_points, BLOCK):
        count = min(BLOCK, num_points - start)
        to_rows(rows, current, start, count, width)
        splat_block(near, rows, every_point[:count], start, gaussian, width)
        splat_block(alike, rows, every_point[:count], start, bilateral, width)
    blur(near, gaussian, width)
    blur(alike, bilateral, width)
    for start in range(0, num_points, BLOCK):
        count = min(BLOCK, num_points - start)
        rows[:] = 0
        slice_block(rows, start, count, gaussian, near, width)
        slice_block(rows, start, count, bilateral, alike, width)
        to_planes(messages, start, rows, count, width)
