"""A stamp or watermark: what images of a class share at a fixed place, and who bears it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from wsss.auditing.looks import inside

BLUR_CELLS = 2.0
"""Standard deviation of the blur that is taken off: what is left are letters and edges, of which no
two smooth pictures have the same."""
BLOCK_CELLS = 8
"""Side of the blocks that are compared between images, in cells of the parts."""
LEAST_DETAIL = 4.0
"""Grey levels that details deviate by; plain parts are like all others."""
BEARS = 0.7
"""Least correlation of an image with the part."""
LEAST_CONTRAST = 0.5
"""Of an image's details as a part of those of the shared part."""
LEAST_CELLS = 2 * BLOCK_CELLS**2
"""Of a stamp: single edges are shared by chance in a block, and go no further."""
LEAST_IMAGES, LEAST_SHARE = 4, 0.1
"""Pictures of a class, without near-duplicates, in which it must be, and their share."""
OTHERS = 0.2
"""Of the class's share of stamped images: most that may be in other classes' images."""
CHANCE = 0.01
"""Of Fisher's exact test of the bearers in the class and in others."""
WINDOW_CELLS = 5
"""Side of the window in which details are compared around every cell."""
SHARED, PROMINENT = 0.5, 0.3
"""Of a cell in the box: least share of the detail that images have in common, and least contrast of
what they have in common, as a part of the most around the block."""
ROUNDS = 2
"""How often the part is taken from the images that bear it."""
AT_ONCE = 256
"""Images of which details are in memory at once, besides those that are compared."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of all images, which may lie on disk."""

    grey: UInt8[np.ndarray, "n 6 p p"]
    """At `ANCHORS`."""
    sizes: Int64[np.ndarray, "n 2"]
    """Height and width of each image in pixels."""

    def details(self, anchor: int, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m p p"]:
        """Grey values of some images without their smooth part; NaN outside of an image."""
        found = np.empty((len(rows), *self.grey.shape[2:]), dtype=np.float32)
        for place, row in enumerate(rows):
            picture = self.grey[row, anchor].astype(np.float32)
            found[place] = picture - cv2.GaussianBlur(picture, (0, 0), BLUR_CELLS)
            height, width = self.sizes[row]
            found[place][~inside(anchor, (int(height), int(width)))] = np.nan
        return found


@dataclass(frozen=True, slots=True)
class Stamp:
    """What images of a class share at a fixed place."""

    anchor: int
    """Index among `ANCHORS`."""
    box: tuple[int, int, int, int]
    """Top, left, bottom, right in cells of the part."""
    correlation: Float32[np.ndarray, " n"]
    """Of every image of the data set with it, in [-1, 1]."""
    share: float
    """Of the class's different pictures that bear it."""
    others: float
    """Of other classes' different pictures that bear it."""
    pictures: int
    """Of the class that bear it, each near-duplicate once."""
    chance: float
    """That as many of the bearers are of the class, if the class did not matter."""

    @property
    def is_stamp(self) -> bool:
        """Whether it tells the class."""
        top, left, bottom, right = self.box
        large = (bottom - top) * (right - left) >= LEAST_CELLS
        enough = large and self.pictures >= LEAST_IMAGES and self.share >= LEAST_SHARE
        return enough and self.others < OTHERS * self.share and self.chance < CHANCE


def measured_stamp(
    parts: Parts,
    anchor: int,
    own: Int64[np.ndarray, " m"],
    details: Float32[np.ndarray, "m p p"],
    bears: Bool[np.ndarray, " m"],
    place: tuple[int, int],
    tagged: Bool[np.ndarray, " n"],
    single: Bool[np.ndarray, " n"],
) -> Stamp:
    """The part around a block: its box, and how far every image bears it.

    Args:
        parts: of all n images.
        anchor: index among `ANCHORS`.
        own: the m images among which the block was found.
        details: theirs at the anchor, in grey levels; NaN outside of an image.
        bears: which of them are alike in the block.
        place: top and left cell of the block.
        tagged: whether an image has the class's tag.
        single: one image of each group of near-duplicates.
    """
    from scipy.stats import hypergeom

    box = (0, 0, 0, 0)
    for _ in range(ROUNDS):
        box = _box(details[bears], place)
        template, count = details[bears].mean(axis=0), int(bears.sum())
        among = _correlation(_cut(details, box), _cut(template, box), count, bears)
        again = among >= BEARS
        if again.sum() < 2:
            break
        bears = again
    template, count = _cut(details[bears].mean(axis=0), box), int(bears.sum())
    found = np.zeros(len(tagged), dtype=np.float32)
    is_bearer = np.zeros(len(tagged), dtype=bool)
    is_bearer[own[bears]] = True
    for rows in _blocks(len(tagged)):
        cut = _cut(parts.details(anchor, rows), box)
        found[rows] = _correlation(cut, template, count, is_bearer[rows])
    bear = found >= BEARS
    of_class, of_others = bear[tagged & single], bear[~tagged & single]
    pictures, bearers = int(of_class.sum()), int(bear[single].sum())
    return Stamp(
        anchor,
        box,
        found,
        float(of_class.mean()),
        float(of_others.mean()) if len(of_others) else 0.0,
        pictures,
        float(hypergeom.sf(pictures - 1, int(single.sum()), len(of_class), bearers)),
    )


def _blocks(count: int) -> Iterator[Int64[np.ndarray, " m"]]:
    for start in range(0, count, AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, count))


def _cut(
    details: Float32[np.ndarray, "*n p p"], box: tuple[int, int, int, int]
) -> Float32[np.ndarray, "*n h w"]:
    top, left, bottom, right = box
    return details[..., top:bottom, left:right]


def _box(
    details: Float32[np.ndarray, "k p p"], place: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what k images share around a block.

    In a window around every cell, the share of details in common is `|Σ d|² / (k Σ |d|²)`: 1 of
    equal images, 1/k of independent ones, for which it is corrected, `(k x - 1) / (k - 1)`. It is
    the correlation across images, weighted by their contrast.
    """
    top, left = place
    k, known = len(details), np.nan_to_num(details)
    window = (WINDOW_CELLS, WINDOW_CELLS)
    common = cv2.blur(np.square(known.mean(axis=0)), window)
    total = cv2.blur(np.square(known).mean(axis=0), window)
    share = (k * common / np.maximum(total, 1e-6) - 1) / max(k - 1, 1)
    near = common[max(0, top - BLOCK_CELLS) :, max(0, left - BLOCK_CELLS) :]
    least = PROMINENT**2 * near[: 3 * BLOCK_CELLS, : 3 * BLOCK_CELLS].max()
    joined = ((share >= SHARED) & (common >= least)).astype(np.uint8)
    kernel = np.ones((WINDOW_CELLS, WINDOW_CELLS), dtype=np.uint8)
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, kernel)
    joined = cv2.erode(joined, kernel)  # Windows reach beyond what is shared.
    block = (common * joined)[top : top + BLOCK_CELLS, left : left + BLOCK_CELLS]
    if not block.any():
        return top, left, top + BLOCK_CELLS, left + BLOCK_CELLS
    down, across = np.unravel_index(block.argmax(), block.shape)
    _, numbers = cv2.connectedComponents(joined)
    ys, xs = np.nonzero(numbers == numbers[top + down, left + across])
    return int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1


def _correlation(
    details: Float32[np.ndarray, "n h w"],
    template: Float32[np.ndarray, "h w"],
    count: int,
    bears: Bool[np.ndarray, " n"],
) -> Float32[np.ndarray, " n"]:
    """Normalised cross-correlation with the mean of `count` images, which some are among.

    Those are compared with the mean of the others: any image is like a mean that it is part of. 0
    of images with little contrast, and of those that end within the box.
    """
    x, t = details.reshape(len(details), -1), template.ravel()
    x = np.where(np.isnan(x).any(axis=1, keepdims=True), 0, x)
    t = np.nan_to_num(t)
    means = np.where(bears[:, None], (count * t - x) / max(count - 1, 1), t)
    length, lengths = np.linalg.norm(x, axis=1), np.linalg.norm(means, axis=1)
    least = max(LEAST_DETAIL * float(np.sqrt(t.size)) / 2, 1e-6)
    seen = (length >= LEAST_CONTRAST * lengths) & (length >= least) & (lengths >= least)
    found = (x * means).sum(axis=1) / np.maximum(length * lengths, 1e-6)
    return np.where(seen, found, 0).astype(np.float32)
