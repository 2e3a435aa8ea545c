"""The kernel that finds the strongest pixel between two."""

import triton
import triton.language as tl


# Maps differ in size: a kernel for each divisor of theirs would be compiled again and again.
@triton.jit(do_not_specialize=["num_values", "length", "row", "num_pairs"])
def strongest(
    flat,
    steps,
    pixels,
    starts,
    num_values,
    length,
    row,
    num_pairs,
    BLOCK: tl.constexpr,
):
    """Paths of one offset from a block of values; grid: blocks of values, offsets, images.

    Args:
        flat: floats [b, num_values]; what lies before the first is 1.
        steps: output, int64 [b, num_pairs, length].
        pixels: int32 [p, 2], rows down and columns to the right, of all paths.
        starts: int32 [num_pairs + 1], where each path's pixels start.
        num_values: of an image.
        length: values to start from.
        row: values in a row.
        num_pairs: offsets.
        BLOCK: values of a program.
    """
    pair = tl.program_id(1)
    image = tl.program_id(2).to(tl.int64)
    value = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    exists = value < length
    own = flat + image * num_values + value
    best = tl.load(own, mask=exists, other=0.0)
    step = tl.zeros([BLOCK], tl.int64)
    for number in tl.range(tl.load(starts + pair), tl.load(starts + pair + 1)):
        down = tl.load(pixels + 2 * number)
        distance = down * row + tl.load(pixels + 2 * number + 1)
        other = tl.load(own + distance, mask=exists & (value + distance >= 0), other=1.0)
        # Of equal ones the first stays.
        step = tl.where(other > best, distance, step)
        best = tl.where(other > best, other, best)
    tl.store(steps + (image * num_pairs + pair) * length + value, step, mask=exists)
