"""Sizes of images by id."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Int32

from wsss.data.texts import TextIndex

Size = tuple[int, int]
"""Height and width in pixels."""


class SizeTable(Mapping[str, Size]):
    """Height and width of images by id, at eight bytes each besides the index of the ids."""

    def __init__(self, index: TextIndex, sides: Int32[np.ndarray, "n 2"]) -> None:
        """Take the sides of images; those of an image without a size are 0."""
        self._index = index
        self._sides = sides

    def __getitem__(self, item_id: str) -> Size:
        """Height and width of an image in pixels."""
        row = self._index.find(item_id)
        if row is None or not self._sides[row, 0]:
            raise KeyError(item_id)
        height, width = self._sides[row].tolist()
        return height, width

    def __len__(self) -> int:
        """Number of images that have a size."""
        return int(np.count_nonzero(self._sides[:, 0]))

    def __iter__(self) -> Iterator[str]:
        """Ids of the images that have a size."""
        return (self._index.texts[row] for row in np.flatnonzero(self._sides[:, 0]).tolist())

    @property
    def sides(self) -> Int32[np.ndarray, "m 2"]:
        """Height and width of every image that has a size."""
        return self._sides[self._sides[:, 0] > 0]
