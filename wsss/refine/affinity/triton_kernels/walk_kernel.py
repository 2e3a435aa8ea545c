"""The kernel of a step of the random walk."""

import triton
import triton.language as tl

AT_ONCE = tl.constexpr(2)
"""Offsets whose neighbours are asked for before the first has come: there is an even number of
offsets, as a quarter of a turn takes pairs to pairs."""


# Maps differ in size: a kernel for each divisor of theirs would be compiled again and again.
@triton.jit(do_not_specialize=["num_offsets", "num_maps", "height", "width"])
def step(
    now,
    after,
    weights,
    shares,
    offsets,
    num_offsets,
    num_maps,
    height,
    width,
    PIXELS: tl.constexpr,
    MAPS: tl.constexpr,
):
    """A block of pixels of several score maps; grid: blocks of a map, images, blocks of maps.

    Each number is one thread's, which adds up neighbours in the order of offsets, the one ahead
    before the one behind: sums depend on neither the sizes of blocks nor other maps and images.

    Args:
        now: floats [b, n, height, width].
        after: output, likewise.
        weights: [b, num_offsets, height, width], of every pixel and its neighbour ahead.
        shares: [b, height, width], what sums are multiplied by.
        offsets: int32 [num_offsets, 2], rows down and columns to the right.
        num_offsets: an even number.
        num_maps: n.
        height: of a map.
        width: of a map.
        PIXELS: of a program.
        MAPS: of a program.
    """
    num_pixels = tl.cast(height * width, tl.int64)
    image = tl.program_id(1)
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    number = tl.program_id(2) * MAPS + tl.arange(0, MAPS)
    row = pixel // width
    column = pixel % width
    exists = pixel < num_pixels
    has_scores = (number < num_maps)[:, None]
    own = (image * num_maps + number)[:, None] * num_pixels + pixel[None, :]
    own_weights = weights + image * num_offsets * num_pixels + pixel
    sums = tl.load(now + own, mask=has_scores & exists[None, :], other=0.0)
    for first in tl.range(0, num_offsets, AT_ONCE):
        for more in tl.static_range(AT_ONCE):
            offset = first + more
            down = tl.load(offsets + 2 * offset)
            right = tl.load(offsets + 2 * offset + 1)
            distance = down * width + right
            pair = own_weights + offset * num_pixels
            ahead = exists & (row + down < height)
            ahead &= (column + right >= 0) & (column + right < width)
            weight = tl.load(pair, mask=ahead, other=0.0)
            score = tl.load(now + own + distance, mask=has_scores & ahead[None, :], other=0.0)
            sums = tl.fma(weight[None, :], score, sums)
            behind = exists & (row - down >= 0)
            behind &= (column - right >= 0) & (column - right < width)
            weight = tl.load(pair - distance, mask=behind, other=0.0)
            score = tl.load(now + own - distance, mask=has_scores & behind[None, :], other=0.0)
            sums = tl.fma(weight[None, :], score, sums)
    share = tl.load(shares + image * num_pixels + pixel, mask=exists, other=0.0)
    tl.store(after + own, sums * share[None, :], mask=has_scores & exists[None, :])
