"""What is kept of each image's pixels: a thumbnail, and the parts at its corners and its centre."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import as_written, atomic, opened
from wsss.artifacts.store import Named, Store
from wsss.data.sample import Item
from wsss.data.source import Source

THUMBNAIL_PX = 64
"""Side of the square thumbnail."""
PART_PX = 192
"""Side of the parts in pixels of the image."""
CELL_PX = 2
"""Side of the squares of a part that are averaged."""
ANCHORS = ("top left", "top right", "bottom left", "bottom right", "centre")
"""Where the parts are, in this order."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of an image."""

    size: tuple[int, int]
    """Height and width in pixels."""
    thumbnail: UInt8[np.ndarray, "s s 3"]
    """The whole image as a square, averaged by area."""
    parts: UInt8[np.ndarray, "5 p p"]
    """Grey values at each of `ANCHORS`, in cells of `CELL_PX` pixels. Where the image ends, 0."""


def look_at(image: UInt8[np.ndarray, "h w 3"]) -> Look:
    """The look of an image."""
    height, width = image.shape[:2]
    side = (THUMBNAIL_PX, THUMBNAIL_PX)
    thumbnail = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    cells = PART_PX // CELL_PX
    parts = np.zeros((len(ANCHORS), cells, cells), dtype=np.uint8)
    for index in range(len(ANCHORS)):
        top, left = corner_of(index, (height, width))
        part = np.zeros((PART_PX, PART_PX), dtype=np.uint8)
        ys, xs = slice(max(0, top), top + PART_PX), slice(max(0, left), left + PART_PX)
        seen = grey[ys, xs]
        y, x = max(0, -top), max(0, -left)
        part[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
        parts[index] = cv2.resize(part, (cells, cells), interpolation=cv2.INTER_AREA)
    return Look((height, width), thumbnail, parts)


def corner_of(anchor: int, size: tuple[int, int]) -> tuple[int, int]:
    """Top and left of a part in pixels of an image; negative where it is smaller than the part."""
    height, width = size
    return (
        ((0, 0), (0, width - PART_PX), (height - PART_PX, 0), (height - PART_PX, width - PART_PX))
        + (((height - PART_PX) // 2, (width - PART_PX) // 2),)
    )[anchor]


class LookStore(Store):
    """A folder of looks: `<id>.npz`."""

    suffix = ".npz"
    kind = "look"
    stage = "audit"

    def write(self, item: Named, look: Look) -> None:
        """Write the look of an item."""
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                size=np.array(look.size, dtype=np.int32),
                thumbnail=look.thumbnail,
                parts=look.parts,
            )

    def read(self, item: Named) -> Look:
        """Read the look of an item.

        Raises:
            WsssError: there is none.
            DamagedFileError: it cannot be read.
        """
        path = self.there(item)
        with as_written(path), opened(path) as content:
            height, width = (int(side) for side in content["size"])
            return Look((height, width), content["thumbnail"], content["parts"])


@dataclass(frozen=True, slots=True)
class LookTask:
    """Looks at an image in a process of its own."""

    source: Source
    store: LookStore

    def __call__(self, item: Item) -> None:
        """Write the look of an item."""
        self.store.write(item, look_at(self.source.read_image(item)))
