"""Tiles of large images: where they are, and which part of each one counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from wsss.data.pyramids import Size


class Span(NamedTuple):
    """A tile along one axis, in pixels of the image."""

    start: int
    stop: int
    """Seen are `start`…`stop`."""
    first: int
    last: int
    """Of these `first`…`last` count; those of all tiles cover the axis without overlap."""


class Tile(NamedTuple):
    """A rectangle of an image."""

    rows: Span
    columns: Span

    @property
    def seen(self) -> tuple[slice, slice]:
        """Where the image is seen."""
        return slice(*self.rows[:2]), slice(*self.columns[:2])

    @property
    def kept(self) -> tuple[slice, slice]:
        """Where its labels count, in the image."""
        return slice(*self.rows[2:]), slice(*self.columns[2:])

    @property
    def core(self) -> tuple[slice, slice]:
        """Where its labels count, in the tile."""
        rows, columns = (slice(s.first - s.start, s.last - s.start) for s in self)
        return rows, columns


@dataclass(frozen=True, slots=True)
class Tiling:
    """Which images are cut, and how.

    Each pixel gets the labels of the one tile in whose middle it is: a network sees less of what is
    around pixels at the border of a tile. A result does not depend on the order of tiles, and no
    probabilities of the whole image are held.
    """

    tile_px: int = 1024
    overlap_px: int = 256
    above_megapixels: float | None = 64.0
    """Images of more pixels are cut, if they exceed a tile; None: none is."""

    def cuts(self, size: Size) -> bool:
        """Whether an image of this size is seen in tiles."""
        if self.above_megapixels is None or max(size) <= self.tile_px:
            return False
        return size[0] * size[1] > self.above_megapixels * 1e6

    def tiles(self, size: Size) -> list[Tile]:
        """The tiles of an image, all of one size, row by row."""
        columns = [*spans(size[1], self.tile_px, self.overlap_px)]
        return [
            Tile(row, column)
            for row in spans(size[0], self.tile_px, self.overlap_px)
            for column in columns
        ]


def spans(side_px: int, tile_px: int, overlap_px: int) -> Iterator[Span]:
    """As few tiles as cover a side with this overlap at least, spread evenly.

    Two neighbours share their overlap equally.
    """
    tile_px = min(tile_px, side_px)
    steps = -(-(side_px - tile_px) // max(1, tile_px - overlap_px))
    starts = [round(step * (side_px - tile_px) / max(1, steps)) for step in range(steps + 1)]
    middles = [(a + tile_px + b) // 2 for a, b in pairwise(starts)]
    for start, first, last in zip(starts, [0, *middles], [*middles, side_px], strict=True):
        yield Span(start, start + tile_px, first, last)
