"""Soft-max of a block of pixels, as differences `q_c − q_last`, in planes of channels."""

import numpy as np

from wsss.refine.dense_crf.numba_kernels.jit import Array, compiled, compiled_loosely

SETTLED = np.float32(2.0**-24)
"""Convergence threshold: smaller changes of probabilities are ignored."""

_MOST = np.float32(80)  # e^80 is finite in float32, and a probability of e^-80 negligible
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_BIAS = np.int32(127)
_MANTISSA_BITS = np.int32(23)


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
def soften_two(
    planes: Array,
    energies: Array,
    first: Array,
    start: int,
    copies: Array,
    scratch: tuple[Array, Array, Array],
) -> None:
    """`soften` for two channels: one exponential a pixel."""
    plane, last = planes[0], scratch[1]
    stop = start + len(last)
    own, other = energies[first[0], start:stop], energies[first[1], start:stop]
    _soften_two(plane, own, other, last, copies[0], copies[1])


@compiled_loosely
def _soften_two(
    plane: Array, own: Array, other: Array, last: Array, owners: np.float32, others: np.float32
) -> None:
    for k in range(len(last)):
        x = plane[k] + (other[k] - own[k])
        size = abs(x)
        less = _exp(-(size if size < _MOST else _MOST))
        mine = _ONE if x > _ZERO else less
        theirs = less if x > _ZERO else _ONE
        total = owners * mine + others * theirs
        plane[k] = (mine - theirs) / total
        last[k] = theirs / total


@compiled_loosely
def soften(
    planes: Array,
    messages: Array,
    offset: int,
    energies: Array,
    first: Array,
    start: int,
    copies: Array,
    scratch: tuple[Array, Array, Array],
) -> None:
    """Turn messages into differences of probabilities, for any number of channels.

    Args:
        planes: output, a block of pixels [at least C', block].
        messages: `K (q_c − q_last)`, may be `planes`.
        offset: where the block begins in `messages`.
        energies: of all labels and pixels [L, n].
        first: the first label of each channel [C' + 1].
        start: the block's first pixel.
        copies: number of labels of each channel [C' + 1].
        scratch: three arrays of the block's length; the second is the output `q_last`.
    """
    top, last, total = scratch
    num, stop = len(first) - 1, start + len(top)
    other = energies[first[num], start:stop]
    for k in range(len(top)):
        top[k] = _ZERO
    for c in range(num):
        message = messages[c, offset : offset + len(top)]
        _add_base(planes[c], message, energies[first[c], start:stop], other, top)
    for k in range(len(top)):
        last[k] = _exp(-top[k] if top[k] < _MOST else -_MOST)
        total[k] = last[k] * copies[num]
    for c in range(num):
        _exponentiate(planes[c], top, total, copies[c])
    for k in range(len(top)):
        total[k] = _ONE / total[k]
        last[k] *= total[k]
    for c in range(num):
        _normalise(planes[c], last, total)


@compiled_loosely
def _add_base(plane: Array, message: Array, own: Array, other: Array, top: Array) -> None:
    for k in range(len(top)):
        x = message[k] + (other[k] - own[k])
        plane[k] = x
        top[k] = x if x > top[k] else top[k]


@compiled_loosely
def _exponentiate(plane: Array, top: Array, total: Array, times: np.float32) -> None:
    for k in range(len(top)):
        x = plane[k] - top[k]
        e = _exp(x if x > -_MOST else -_MOST)
        plane[k] = e
        total[k] += e * times


@compiled_loosely
def _normalise(plane: Array, last: Array, total: Array) -> None:
    for k in range(len(total)):
        plane[k] = plane[k] * total[k] - last[k]


@compiled_loosely
def advance(planes: Array, current: Array, start: int, largest: Array) -> None:
    """Subtract `current` from `planes`, and update `current` where pixels have not converged.

    Args:
        planes: new values of a block of pixels [C', block]; then their changes.
        current: values of all pixels so far [at least C', n].
        start: the block's first pixel.
        largest: output, the largest change of each pixel of the block.
    """
    stop = start + len(largest)
    for k in range(len(largest)):
        largest[k] = _ZERO
    for c in range(len(planes)):
        _change(planes[c], current[c, start:stop], largest)
    for c in range(len(planes)):
        _follow(planes[c], current[c, start:stop], largest)


@compiled_loosely
def _change(plane: Array, current: Array, largest: Array) -> None:
    for k in range(len(largest)):
        change = plane[k] - current[k]
        plane[k] = change
        size = abs(change)
        largest[k] = size if size > largest[k] else largest[k]


@compiled_loosely
def _follow(plane: Array, current: Array, largest: Array) -> None:
    for k in range(len(largest)):
        current[k] += plane[k] if largest[k] > SETTLED else _ZERO


@compiled
def probabilities(
    posterior: Array, planes: Array, channel_of: Array, num: int, start: int, last: Array
) -> None:
    """Fill in the probabilities of all labels [L, n] at a block of pixels.

    Args:
        posterior: of all pixels.
        planes: differences `q_c − q_last`, [at least C', block].
        channel_of: each label's channel.
        num: C', which is the last channel, too.
        start: the block's first pixel.
        last: `q_last`, as long as the block is.
    """
    for label in range(len(posterior)):
        target, channel = posterior[label, start : start + len(last)], channel_of[label]
        if channel < num:
            plane = planes[channel]
            for k in range(len(last)):
                target[k] = last[k] + plane[k]
        else:
            target[:] = last
