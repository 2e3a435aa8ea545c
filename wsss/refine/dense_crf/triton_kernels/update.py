"""The kernel that ends an iteration: slices of both kernels, unaries, soft-max, and output."""

import triton
import triton.language as tl

DIFFERENCES = tl.constexpr(0)
POSTERIORS = tl.constexpr(1)
LABELS = tl.constexpr(2)
UNIT = tl.constexpr(2.0**32)
"""Sums of probabilities are of integers in units of 2^-32, so that their order cannot matter."""


@triton.jit(do_not_specialize=["num_points"])
def update(
    near_sums,
    alike_sums,
    near_corners,
    near_weights,
    alike_corners,
    alike_weights,
    num_points,
    images,
    energies,
    unaries,
    copies,
    first_labels,
    output,
    confidence,
    num_unaries,
    num_others,
    HAS_SUMS: tl.constexpr,
    OUTPUT: tl.constexpr,
    WITH_CONFIDENCE: tl.constexpr,
    BLOCK: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """A block of an image's pixels; grid: blocks of the largest image, images, unaries.

    Channels are compared with the first, whose logit is 0: `x_c = K (q_c − q_0) + u_0 − u_c`.

    Args:
        near_sums: float32 [m, num_unaries · num_others], of vertices; of the kernel of positions.
        alike_sums: likewise, of positions and colours.
        near_corners: int32 [3, n].
        near_weights: float32 [3, n].
        alike_corners: int32 [6, n].
        alike_weights: float32 [6, n].
        num_points: n.
        images: int64 [b, 4], see `Images.table`.
        energies: float32, planes of channels.
        unaries: int64 [b, k, 3], see `Unaries.table`.
        copies: float32 [b, k, num_others + 1], labels of each channel.
        first_labels: int32 [b, k, num_others + 1].
        output: float32 [n, num_unaries · num_others] differences `q_c − q_0`; float32 posteriors of
            a label of each channel, laid out as energies; or uint8 labels.
        confidence: float32, the highest posterior, laid out as labels.
        num_unaries: k.
        num_others: channels of a unary but the first.
        HAS_SUMS: false before the first iteration.
        OUTPUT: which of the three.
        WITH_CONFIDENCE: whether confidence is wanted beside labels.
        BLOCK: pixels of a program.
        CHANNELS: a power of two, as many as `num_others` at least.
    """
    image = tl.program_id(1)
    unary = tl.program_id(2)
    start = tl.load(images + image * 4)
    count = tl.load(images + image * 4 + 1).to(tl.int32)
    problem = image * num_unaries + unary
    planes = tl.load(unaries + problem * 3)
    num_channels = tl.load(unaries + problem * 3 + 1).to(tl.int32)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < tl.where(num_channels > 0, count, 0)
    other = tl.arange(0, CHANNELS)
    point = start + pixel
    column = unary * num_others + other
    width = num_unaries * num_others
    mask = inside[:, None] & (other < num_others)[None, :]
    logits = tl.zeros([BLOCK, CHANNELS], tl.float32)
    if HAS_SUMS:
        logits = _slice(
            logits, near_sums, near_corners, near_weights, num_points, point, inside, column, mask,
            width, 3,
        )  # fmt: skip
        logits = _slice(
            logits, alike_sums, alike_corners, alike_weights, num_points, point, inside, column,
            mask, width, 6,
        )  # fmt: skip
    competes = inside[:, None] & (other < num_channels - 1)[None, :]
    plane = planes + (other.to(tl.int64) + 1) * count
    own = tl.load(energies + plane[None, :] + pixel[:, None], mask=competes, other=0.0)
    first = tl.load(energies + planes + pixel, mask=inside, other=0.0)
    logits = tl.where(competes, logits + (first[:, None] - own), float("-inf"))
    top = tl.maximum(tl.max(logits, axis=1), 0.0)
    likely = tl.exp(logits - top[:, None])
    likely_first = tl.exp(-top)
    labels = problem * (num_others + 1)
    times = tl.load(copies + labels + 1 + other, mask=other < num_others, other=0.0)
    total = tl.sum((likely * times[None, :] * UNIT).to(tl.int64), axis=1)
    total += (likely_first * tl.load(copies + labels) * UNIT).to(tl.int64)
    scale = UNIT / total.to(tl.float32)
    if OUTPUT == DIFFERENCES:
        found = tl.where(competes, (likely - likely_first[:, None]) * scale[:, None], 0.0)
        tl.store(output + point[:, None] * width + column[None, :], found, mask=mask)
    else:
        likely *= scale[:, None]
        likely_first *= scale
    if OUTPUT == POSTERIORS:
        tl.store(output + planes + pixel, likely_first, mask=inside)
        tl.store(output + plane[None, :] + pixel[:, None], likely, mask=competes)
    if OUTPUT == LABELS:
        target = tl.load(unaries + problem * 3 + 2) + pixel
        best = tl.max(likely, axis=1)
        channel = tl.argmax(likely, axis=1, tie_break_left=True) + 1
        channel = tl.where(likely_first >= best, 0, channel)
        label = tl.load(first_labels + labels + channel)
        tl.store(output + target, label.to(tl.uint8), mask=inside)
        if WITH_CONFIDENCE:
            tl.store(confidence + target, tl.maximum(best, likely_first), mask=inside)


@triton.jit
def _slice(
    found,
    sums,
    corners,
    weights,
    num_points,
    point,
    inside,
    column,
    mask,
    width,
    SIZE: tl.constexpr,
):
    """Add the weighted values of each point's vertices, by remainder."""
    for corner in tl.static_range(SIZE):
        place = point + tl.cast(num_points, tl.int64) * corner
        vertex = tl.load(corners + place, mask=inside, other=0).to(tl.int64)
        weight = tl.load(weights + place, mask=inside, other=0.0)
        value = tl.load(sums + vertex[:, None] * width + column[None, :], mask=mask, other=0.0)
        found = tl.fma(weight[:, None], value, found)
    return found
