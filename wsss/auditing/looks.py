"""What is kept of each image's pixels: a thumbnail, and the parts at its corners and its centre."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from wsss.artifacts.array_store import Arrays, ArrayStore
from wsss.data.sample import Item
from wsss.data.source import Source

THUMBNAIL_PX = 64
"""Side of the square thumbnail."""
PART_PX = 192
"""Side of the parts in pixels of the image."""
CELL_PX = 2
"""Side of the squares of a part that are averaged."""
CELLS = PART_PX // CELL_PX
"""Cells of a side of a part."""
CORNERS = ("top left", "top right", "bottom left", "bottom right", "centre")
"""Where the parts are, in this order."""
ANCHORS = (*CORNERS, "whole image")
"""Those, and the whole image as a square of as many cells: what grows with the image is there at
the same place."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of an image."""

    size: tuple[int, int]
    """Height and width in pixels."""
    thumbnail: UInt8[np.ndarray, "s s 3"]
    """The whole image as a square, averaged by area."""
    parts: UInt8[np.ndarray, "6 p p"]
    """Grey values at each of `ANCHORS`, in cells of `CELL_PX` pixels. Beyond the
    image its border goes on."""


def look_at(image: UInt8[np.ndarray, "h w 3"]) -> Look:
    """The look of an image."""
    height, width = image.shape[:2]
    side = (THUMBNAIL_PX, THUMBNAIL_PX)
    thumbnail = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    parts = np.zeros((len(ANCHORS), CELLS, CELLS), dtype=np.uint8)
    parts[-1] = cv2.resize(grey, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    for index in range(len(CORNERS)):
        top, left = corner_of(index, (height, width))
        seen = grey[max(0, top) : top + PART_PX, max(0, left) : left + PART_PX]
        above, before = max(0, -top), max(0, -left)
        # Any other border would be an edge that all small images share.
        part = cv2.copyMakeBorder(
            seen,
            above, PART_PX - seen.shape[0] - above, before, PART_PX - seen.shape[1] - before,
            cv2.BORDER_REPLICATE,
        )  # fmt: skip
        parts[index] = cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return Look((height, width), thumbnail, parts)


def corner_of(anchor: int, size: tuple[int, int]) -> tuple[int, int]:
    """Top and left of one of `CORNERS` in pixels; negative where the image is smaller."""
    height, width = size
    bottom, right = height - PART_PX, width - PART_PX
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2))
    return corners[anchor]


def inside(anchor: int, size: tuple[int, int]) -> Bool[np.ndarray, "p p"]:
    """The cells of a part that are inside an image of `size` (height, width) as a whole."""
    if anchor == len(CORNERS):
        return np.ones((CELLS, CELLS), dtype=bool)
    starts = CELL_PX * np.arange(CELLS)
    rows, columns = (
        (start + starts >= 0) & (start + starts + CELL_PX <= side)
        for start, side in zip(corner_of(anchor, size), size, strict=True)
    )
    found: Bool[np.ndarray, "p p"] = rows[:, None] & columns[None]
    return found


def box_px(
    anchor: int, box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Top, left, bottom and right in pixels of an image, of a box in cells of a part."""
    height, width = size
    if anchor == len(CORNERS):
        down, across = height / CELLS, width / CELLS
        return box[0] * down, box[1] * across, box[2] * down, box[3] * across
    top, left = corner_of(anchor, size)
    ys, xs = (
        [min(max(start + CELL_PX * one, 0), side) for one in ends]
        for start, ends, side in ((top, box[::2], height), (left, box[1::2], width))
    )
    return float(ys[0]), float(xs[0]), float(ys[1]), float(xs[1])


class LookStore(ArrayStore[Look]):
    """A folder of looks: `<id>.npz`."""

    kind = "look"
    stage = "audit"

    def packed(self, content: Look) -> Arrays:
        """Size, thumbnail and parts."""
        size = np.array(content.size, dtype=np.int32)
        return {"size": size, "thumbnail": content.thumbnail, "parts": content.parts}

    def unpacked(self, arrays: Mapping[str, np.ndarray]) -> Look:
        """The look of these."""
        height, width = (int(side) for side in arrays["size"])
        return Look((height, width), arrays["thumbnail"], arrays["parts"])


@dataclass(frozen=True, slots=True)
class LookTask:
    """Looks at an image in a process of its own."""

    source: Source
    store: LookStore

    def __call__(self, item: Item) -> None:
        """Write the look of an item."""
        self.store.write(item, look_at(self.source.read_image(item)))
