"""A stamp or watermark: pixels that are the same at a fixed place in many images of a class."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from wsss.auditing.finding import CheckResult, Finding, ranked
from wsss.auditing.looks import ANCHORS, CELL_PX, corner_of

BLOCK_CELLS, STEP_CELLS = 8, 4
"""Side and distance of the blocks that are compared between images, in cells of `CELL_PX` pixels."""
SAME_BLOCK = 0.8
"""Least correlation of two blocks' details."""
LEAST_DETAIL = 4.0
"""Grey levels that a block's details deviate by; plain ones are like all others."""
BEARS = 0.7
"""Least correlation of an image with the stamp."""
LEAST_IMAGES, LEAST_SHARE = 4, 0.1
"""Pictures of a class, without near-duplicates, in which it must be, and their share."""
OTHERS = 0.2
"""Of the class's share of stamped images: most that may be in other classes' images."""
MOST_COMPARED = 400
"""Images of a class of which all pairs are compared, at even distances."""
SAME_GREY = 24.0
"""Most deviation of a cell between stamped images for it to be part of the stamp, in grey levels."""
RULE = (
    "Images are ranked by their correlation with a picture part that is the same in several images "
    "of a class at the same distance from a corner or the centre; flagged are those that bear it, "
    f"if at least {LEAST_IMAGES} different pictures and {LEAST_SHARE:.0%} of the class do, and of "
    f"other classes less than {OTHERS:.0%} as many."
)
NOT_SHARED = 0.3
"""Factor of the score of images that no stamp was found in."""


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

    @property
    def is_stamp(self) -> bool:
        """Whether it tells the class."""
        enough = self.pictures >= LEAST_IMAGES and self.share >= LEAST_SHARE
        return enough and self.others < OTHERS * self.share


def fixed_positions(
    parts: UInt8[np.ndarray, "n 5 p p"],
    sizes: Int64[np.ndarray, "n 2"],
    groups: Int64[np.ndarray, " n"],
    ids: Sequence[str],
    splits: Sequence[str],
    class_names: Sequence[str],
    tags: Bool[np.ndarray, "n c"],
    most: int,
    advance: Callable[[], None] = lambda: None,
) -> CheckResult:
    """Findings of the kind `fixed_position`.

    Args:
        parts: grey values at `ANCHORS`, of all images.
        sizes: height and width of each image in pixels.
        groups: the same number for near-duplicates, of which one counts.
        ids: of all images.
        splits: of each image.
        class_names: of the classes.
        tags: of each image.
        most: how many findings to keep at least.
        advance: called after each class.
    """
    _, first_of_group = np.unique(groups, return_index=True)
    single = np.zeros(len(ids), dtype=bool)
    single[first_of_group] = True
    details = np.stack([detail(parts[:, anchor]) for anchor in range(len(ANCHORS))], axis=1)
    findings: list[Finding] = []
    for column, name in enumerate(class_names):
        stamp = shared_part(parts, details, tags[:, column], single)
        if stamp is not None:
            findings += _findings(stamp, ids, splits, name, tags[:, column], sizes)
        advance()
    return CheckResult(int(tags.sum()), RULE, ranked(findings, most))


def detail(grey: UInt8[np.ndarray, "n p p"]) -> Float32[np.ndarray, "n p p"]:
    """What is left of grey values when their smooth part is taken off, in grey levels."""
    return np.stack([
        (one := picture.astype(np.float32)) - cv2.GaussianBlur(one, (0, 0), BLOCK_CELLS / 2)
        for picture in grey
    ])  # fmt: skip


def shared_part(
    parts: UInt8[np.ndarray, "n 5 p p"],
    details: Float32[np.ndarray, "n 5 p p"],
    tagged: Bool[np.ndarray, " n"],
    single: Bool[np.ndarray, " n"],
) -> Stamp | None:
    """The part that most different pictures of a class share at a fixed place.

    Blocks at the same place are compared between all pairs of pictures of the class. The block of
    the picture with the most alike ones is where the part is; its box is where those are the same
    but for `SAME_GREY`, and every image is correlated with their mean there.

    Args:
        parts: grey values at `ANCHORS`.
        details: theirs.
        tagged: whether an image has the class's tag.
        single: one image of each group of near-duplicates.

    Returns:
        the best candidate, whether or not it is a stamp; None where no two blocks are alike.
    """
    own = np.flatnonzero(tagged & single)
    if len(own) > MOST_COMPARED:
        own = own[np.linspace(0, len(own) - 1, MOST_COMPARED).round().astype(int)]
    if len(own) < 2:
        return None
    best: Stamp | None = None
    for anchor in range(len(ANCHORS)):
        alike = _most_alike(details[own, anchor])
        if alike is None:
            continue
        bearers, place = alike
        box = _box(parts[own[bearers], anchor], details[own[bearers], anchor], place)
        stamp = _measured(details[:, anchor], own[bearers], anchor, box, tagged, single)
        if best is None or _rank(stamp) > _rank(best):
            best = stamp
    return best


def _rank(stamp: Stamp) -> tuple[bool, float, int]:
    top, left, bottom, right = stamp.box
    return stamp.is_stamp, stamp.share - stamp.others, (bottom - top) * (right - left)


def _most_alike(
    details: Float32[np.ndarray, "m p p"],
) -> tuple[Int64[np.ndarray, " k"], tuple[int, int]] | None:
    """The images that are alike in some block, and its top and left cell."""
    side = details.shape[1]
    best, found = 1, None
    for top in range(0, side - BLOCK_CELLS + 1, STEP_CELLS):
        for left in range(0, side - BLOCK_CELLS + 1, STEP_CELLS):
            block = details[:, top : top + BLOCK_CELLS, left : left + BLOCK_CELLS]
            vectors = _unit(block.reshape(len(block), -1), LEAST_DETAIL * BLOCK_CELLS)
            alike = vectors @ vectors.T >= SAME_BLOCK
            count = alike.sum(axis=1)
            if count.max() > best:
                best = int(count.max())
                found = np.flatnonzero(alike[count.argmax()]), (top, left)
    return found


def _box(
    grey: UInt8[np.ndarray, "k p p"], details: Float32[np.ndarray, "k p p"], place: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what images share around a block."""
    top, left = place
    # The median deviation: some of the images may be alike in this block by chance alone.
    centre = np.median(grey, axis=0)
    deviation = 1.4826 * np.median(np.abs(grey - centre), axis=0)
    same = (deviation <= SAME_GREY).astype(np.uint8)
    # Where all images vary little, as in a black bar, details tell what belongs together.
    busy = np.abs(np.median(details, axis=0)) >= LEAST_DETAIL
    kernel = np.ones((5, 5), dtype=np.uint8)
    joined = cv2.morphologyEx((same & busy).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    joined[top : top + BLOCK_CELLS, left : left + BLOCK_CELLS] = 1
    _, numbers = cv2.connectedComponents(joined)
    ys, xs = np.nonzero(numbers == numbers[top, left])
    return int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1


def _measured(
    details: Float32[np.ndarray, "n p p"],
    bearers: Int64[np.ndarray, " k"],
    anchor: int,
    box: tuple[int, int, int, int],
    tagged: Bool[np.ndarray, " n"],
    single: Bool[np.ndarray, " n"],
) -> Stamp:
    """How far every image bears what some share."""
    top, left, bottom, right = box
    inside = details[:, top:bottom, left:right].reshape(len(details), -1)
    vectors = _unit(inside, LEAST_DETAIL * np.sqrt(inside.shape[1]))
    template = _unit(np.median(inside[bearers], axis=0)[None], 1e-3)[0]
    correlation = vectors @ template
    bears = correlation >= BEARS
    return Stamp(
        anchor,
        box,
        correlation.astype(np.float32),
        float(bears[tagged & single].mean()),
        float(bears[~tagged & single].mean()) if (~tagged & single).any() else 0.0,
        int((bears & tagged & single).sum()),
    )


def _findings(
    stamp: Stamp,
    ids: Sequence[str],
    splits: Sequence[str],
    name: str,
    tagged: Bool[np.ndarray, " n"],
    sizes: Int64[np.ndarray, "n 2"],
) -> Iterator[Finding]:
    for row in np.flatnonzero(tagged):
        correlation = float(np.clip(stamp.correlation[row], 0, 1))
        top, left = corner_of(stamp.anchor, (int(sizes[row, 0]), int(sizes[row, 1])))
        height, width = (int(side) for side in sizes[row])
        y0, x0, y1, x1 = (CELL_PX * one for one in stamp.box)
        yield Finding(
            "fixed_position",
            correlation if stamp.is_stamp else NOT_SHARED * correlation,
            stamp.is_stamp and correlation >= BEARS,
            f"Look at the marked part: if it gives {name} away, crop it off or paint it over.",
            ids[row],
            splits[row],
            name,
            evidence={
                "left_px": float(np.clip(left + x0, 0, width)),
                "top_px": float(np.clip(top + y0, 0, height)),
                "right_px": float(np.clip(left + x1, 0, width)),
                "bottom_px": float(np.clip(top + y1, 0, height)),
                "correlation": correlation,
                "share_of_class": stamp.share,
                "share_of_others": stamp.others,
            },
        )


def _unit(vectors: Float32[np.ndarray, "n k"], least: float) -> Float32[np.ndarray, "n k"]:
    """Vectors of mean 0 and length 1; 0 where the length is below `least`."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: Float32[np.ndarray, "n k"] = np.where(length >= least, centred / np.maximum(length, 1e-6), 0)
    return unit
