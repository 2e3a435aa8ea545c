"""The splat's sums, one a vertex, in classes of width, so that the entries of a class are a matrix.

Half of the vertices have few points; most entries belong to few vertices with up to all points of a
flat region. Long rows are cut into pieces, counted from their own start, whose sums a second pass
adds in order: no sum depends on the rows beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

WIDTHS = (2, 8)
"""Most entries of the rows of each class. Of those that were tried, these fill up least: 1.4 to
1.5 places an entry on photographs with IRN's and DeepLab's kernels."""

PIECE = 32
"""Entries of a piece of a longer row."""


class Rows(NamedTuple):
    """Rows of one width."""

    points: Int32[Tensor, "w r"]
    """The point of each entry; 0 where a row has no more."""
    weights: Float32[Tensor, "w r"]
    """Its weight; 0 there."""
    targets: Int32[Tensor, " r"]
    """The row's vertex; of pieces, their number."""


class Splat(NamedTuple):
    """All rows. Tables are [r w] where one call sums a whole row (`rows_first`)."""

    short: tuple[Rows, ...]
    """By `WIDTHS`."""
    pieces: Rows
    """Of long rows, one row's after another's."""
    long_targets: Int32[Tensor, " l"]
    """The vertices of long rows."""
    long_starts: Int32[Tensor, " l1"]
    """Where each one's pieces start; then their number."""


class Places(NamedTuple):
    """Where the entries of rows of a class are among all corners; their number where none is."""

    short: tuple[Int64[Tensor, "w r"], ...]
    pieces: Int64[Tensor, "w r"]
    targets: tuple[Int32[Tensor, " r"], ...]
    long_targets: Int32[Tensor, " l"]
    long_starts: Int32[Tensor, " l1"]


def places_of(entries: Int64[Tensor, " e"], offsets: Int64[Tensor, " m1"]) -> Places:
    """Sort rows into classes; waits once for the device, for the sizes of the classes.

    Args:
        entries: numbers of corners, sorted by vertex and then by point.
        offsets: where each vertex's entries start; then their number.
    """
    counts = offsets.diff()
    pieces = torch.where(counts > WIDTHS[-1], (counts + (PIECE - 1)) // PIECE, 0)
    bounds = [0, *WIDTHS]
    inside = [(counts > low) & (counts <= high) for low, high in zip(bounds, WIDTHS, strict=False)]
    inside.append(pieces > 0)
    *sizes, num_pieces = torch.stack([*(one.sum() for one in inside), pieces.sum()]).tolist()
    *short, long = (_listed(one, size) for one, size in zip(inside, sizes, strict=True))
    ends = pieces[long].cumsum(dim=0)
    starts = torch.cat([ends.new_zeros(1), ends])
    owner = torch.repeat_interleave(starts.diff(), output_size=num_pieces)
    number = torch.arange(num_pieces, device=offsets.device)
    from_ = offsets[long][owner] + PIECE * (number - starts[owner])
    return Places(
        tuple(
            _table(entries, offsets[rows], counts[rows], width)
            for rows, width in zip(short, WIDTHS, strict=True)
        ),
        _table(entries, from_, offsets[1:][long][owner] - from_, PIECE),
        (*(_vertices(rows) for rows in short), number.to(torch.int32)),
        _vertices(long),
        starts.to(torch.int32),
    )


def splat_of(places: Places, weights: Float32[Tensor, "d1 n"], rows_first: bool) -> Splat:
    """The tables for barycentric weights."""
    # One more, for where a row has no entry; its point is the first.
    padded = torch.cat([weights.flatten(), weights.new_zeros(1)])

    def rows(place: Int64[Tensor, "w r"], targets: Int32[Tensor, " r"]) -> Rows:
        place = place.T.contiguous() if rows_first else place
        return Rows((place % weights.shape[1]).to(torch.int32), padded[place], targets)

    tables = (*places.short, places.pieces)
    *short, pieces = (rows(*pair) for pair in zip(tables, places.targets, strict=True))
    return Splat(tuple(short), pieces, places.long_targets, places.long_starts)


def joined(
    splats: Sequence[Splat], points: Sequence[int], vertices: Sequence[int], rows_first: bool
) -> Splat:
    """The rows of several lattices as those of one.

    Args:
        splats: of each lattice.
        points: what to add to the numbers of their points.
        vertices: what to add to those of their vertices.
        rows_first: how tables lie in memory.
    """
    numbers = [splat.pieces.targets.numel() for splat in splats]
    pieces = [sum(numbers[:index]) for index in range(len(splats))]

    def rows(several: Sequence[Rows], targets: Sequence[int]) -> Rows:
        dim = 0 if rows_first else 1
        return Rows(
            torch.cat([one.points + add for one, add in zip(several, points, strict=True)], dim),
            torch.cat([one.weights for one in several], dim),
            torch.cat([one.targets + add for one, add in zip(several, targets, strict=True)]),
        )

    starts = [one.long_starts[:-1] + add for one, add in zip(splats, pieces, strict=True)]
    return Splat(
        tuple(rows(several, vertices) for several in zip(*(s.short for s in splats), strict=True)),
        rows([one.pieces for one in splats], pieces),
        torch.cat([one.long_targets + add for one, add in zip(splats, vertices, strict=True)]),
        torch.cat([*starts, splats[-1].long_starts[-1:] + pieces[-1]]),
    )


def _listed(inside: Tensor, size: int) -> Int64[Tensor, " r"]:
    """Where `inside` is true, in order: as `nonzero`, without waiting, as the size is known."""
    place = torch.where(inside, inside.cumsum(dim=0) - 1, size)
    listed = torch.empty(size + 1, dtype=torch.int64, device=inside.device)
    return listed.scatter_(0, place, torch.arange(len(inside), device=inside.device))[:size]


def _table(
    entries: Int64[Tensor, " e"],
    starts: Int64[Tensor, " r"],
    counts: Int64[Tensor, " r"],
    width: int,
) -> Int64[Tensor, "w r"]:
    place = torch.arange(width, device=entries.device)[:, None]
    there = entries[(starts + place).clamp_(max=len(entries) - 1)]
    return torch.where(place < counts, there, len(entries))


def _vertices(rows: Int64[Tensor, " r"]) -> Int32[Tensor, " r"]:
    """Numbers of vertices, of which 0 is the null vertex."""
    return (rows + 1).to(torch.int32)
