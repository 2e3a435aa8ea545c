"""The kernels of splat and blur: sums in the order of each row's own entries, without atomics."""

import triton
import triton.language as tl

from wsss.refine.dense_crf.on_device import rows

NARROW = tl.constexpr(rows.WIDTHS[0])
WIDE = tl.constexpr(rows.WIDTHS[1])
PIECE = tl.constexpr(rows.PIECE)
UNROLLED = tl.constexpr(4)
"""Entries or pieces of a row that are asked for before the first has come."""


# Numbers of rows differ from image to image: a kernel for each divisor of theirs would be compiled
# again and again.
@triton.jit(do_not_specialize=["num_narrow", "num_wide", "num_pieces"])
def splat(
    values,
    sums,
    pieces,
    narrow_points,
    narrow_weights,
    narrow_targets,
    num_narrow,
    wide_points,
    wide_weights,
    wide_targets,
    num_wide,
    piece_points,
    piece_weights,
    num_pieces,
    channels,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Sum blocks of rows of all three classes; grid: blocks of each class, one after another.

    Args:
        values: float32 [n, channels], of points.
        sums: output, float32 [m, channels], of vertices with short rows and the null vertex.
        pieces: output, float32 [num_pieces, channels], of long rows.
        narrow_points: int32 [2, num_narrow]; so are the others (see `rows.Rows`).
        narrow_weights: float32, likewise.
        narrow_targets: int32 [num_narrow].
        num_narrow: rows of the class.
        wide_points: int32 [8, num_wide].
        wide_weights: float32, likewise.
        wide_targets: int32 [num_wide].
        num_wide: rows of the class.
        piece_points: int32 [32, num_pieces].
        piece_weights: float32, likewise.
        num_pieces: of all long rows.
        channels: of a point.
        ROWS: rows of a program.
        CHANNELS: a power of two, as many as `channels` at least.
    """
    block = tl.program_id(0)
    num_first = tl.cdiv(num_narrow, ROWS)
    num_second = tl.cdiv(num_wide, ROWS)
    inner = tl.arange(0, ROWS)
    if block == 0:
        channel = tl.arange(0, CHANNELS)
        tl.store(sums + channel, tl.zeros([CHANNELS], tl.float32), mask=channel < channels)
    if block < num_first:
        row = block * ROWS + inner
        found = _sums(
            values, narrow_points, narrow_weights, num_narrow, row, channels, NARROW, CHANNELS
        )
        target = tl.load(narrow_targets + row, mask=row < num_narrow, other=0)
        _put(sums, target, found, row < num_narrow, channels, CHANNELS)
    elif block < num_first + num_second:
        row = (block - num_first) * ROWS + inner
        found = _sums(values, wide_points, wide_weights, num_wide, row, channels, WIDE, CHANNELS)
        target = tl.load(wide_targets + row, mask=row < num_wide, other=0)
        _put(sums, target, found, row < num_wide, channels, CHANNELS)
    else:
        row = (block - num_first - num_second) * ROWS + inner
        found = _sums(
            values, piece_points, piece_weights, num_pieces, row, channels, PIECE, CHANNELS
        )
        _put(pieces, row, found, row < num_pieces, channels, CHANNELS)


@triton.jit
def _sums(
    values,
    points,
    weights,
    num_rows,
    row,
    channels,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Sums of the rows, entry after entry."""
    AT_ONCE: tl.constexpr = min(WIDTH, UNROLLED)
    exists = row < num_rows
    channel = tl.arange(0, CHANNELS)[None, :]
    found = tl.zeros([row.shape[0], CHANNELS], tl.float32)
    for first in tl.range(0, WIDTH, AT_ONCE):
        for ahead in tl.static_range(AT_ONCE):
            place = row + tl.cast(num_rows, tl.int64) * (first + ahead)
            point = tl.load(points + place, mask=exists, other=0).to(tl.int64)
            weight = tl.load(weights + place, mask=exists, other=0.0)
            value = tl.load(
                values + point[:, None] * channels + channel,
                mask=exists[:, None] & (channel < channels),
                other=0.0,
            )
            found = tl.fma(weight[:, None], value, found)
    return found


@triton.jit
def _put(target, row, found, exists, channels, CHANNELS: tl.constexpr):
    channel = tl.arange(0, CHANNELS)[None, :]
    place = target + row.to(tl.int64)[:, None] * channels + channel
    tl.store(place, found, mask=exists[:, None] & (channel < channels))


@triton.jit(do_not_specialize=["num_rows"])
def join_pieces(
    pieces,
    sums,
    targets,
    starts,
    num_rows,
    channels,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Add up the pieces of long rows in order; grid: blocks of rows.

    Args:
        pieces: float32 [num_pieces, channels].
        sums: output, float32 [m, channels], of vertices with long rows.
        targets: int32 [num_rows], their vertices.
        starts: int32 [num_rows + 1], where each one's pieces start.
        num_rows: long rows.
        channels: of a point.
        ROWS: rows of a program.
        CHANNELS: a power of two, as many as `channels` at least.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = row < num_rows
    channel = tl.arange(0, CHANNELS)[None, :]
    first = tl.load(starts + row, mask=exists, other=0)
    count = tl.load(starts + row + 1, mask=exists, other=0) - first
    found = tl.zeros([ROWS, CHANNELS], tl.float32)
    for number in tl.range(0, tl.max(count, axis=0), UNROLLED):
        for ahead in tl.static_range(UNROLLED):
            place = (first + number + ahead).to(tl.int64)[:, None] * channels + channel
            mask = (number + ahead < count)[:, None] & (channel < channels)
            found += tl.load(pieces + place, mask=mask, other=0.0)
    target = tl.load(targets + row, mask=exists, other=0)
    _put(sums, target, found, exists, channels, CHANNELS)


@triton.jit(do_not_specialize=["num_vertices"])
def blur(
    source,
    target,
    neighbours,
    num_vertices,
    channels,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Each vertex plus half of both its neighbours; grid: blocks of vertices.

    Args:
        source: float32 [m, channels].
        target: output, likewise.
        neighbours: int32 [num_vertices, 2]; 0, the null vertex, where there is none.
        num_vertices: to blur.
        channels: of a vertex.
        ROWS: vertices of a program.
        CHANNELS: a power of two, as many as `channels` at least.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = row < num_vertices
    channel = tl.arange(0, CHANNELS)[None, :]
    mask = exists[:, None] & (channel < channels)
    before = tl.load(neighbours + row.to(tl.int64) * 2, mask=exists, other=0).to(tl.int64)
    after = tl.load(neighbours + row.to(tl.int64) * 2 + 1, mask=exists, other=0).to(tl.int64)
    here = tl.load(source + row.to(tl.int64)[:, None] * channels + channel, mask=mask, other=0.0)
    both = tl.load(source + before[:, None] * channels + channel, mask=mask, other=0.0)
    both += tl.load(source + after[:, None] * channels + channel, mask=mask, other=0.0)
    _put(target, row, here + 0.5 * both, exists, channels, CHANNELS)
