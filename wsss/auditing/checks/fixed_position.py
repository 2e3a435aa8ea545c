"""A stamp or watermark: pixels that are the same at a fixed place in many images of a class."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from wsss.auditing.finding import CheckResult, Finding, ranked
from wsss.auditing.looks import ANCHORS, box_px, inside

BLOCK_CELLS, STEP_CELLS = 8, 4
"""Side and distance of the blocks that are compared between images, in cells of the parts."""
SAME_BLOCK = 0.8
"""Least correlation of two blocks' details."""
LEAST_DETAIL = 4.0
"""Grey levels that a block's details deviate by; plain ones are like all others."""
BEARS = 0.8
"""Least correlation of an image with the stamp."""
LEAST_CELLS = 2 * BLOCK_CELLS**2
"""Of a stamp: single edges are shared by chance in a block, and go no further."""
LEAST_IMAGES, LEAST_SHARE = 4, 0.1
"""Pictures of a class, without near-duplicates, in which it must be, and their share."""
OTHERS = 0.2
"""Of the class's share of stamped images: most that may be in other classes' images."""
MOST_COMPARED = 400
"""Images of a class, and of others, of which all pairs are compared, at even distances."""
SAME_GREY = 24.0
"""Most deviation of a stamp's cell between images, in grey levels."""
RULE = (
    "Images are ranked by their correlation with a picture part that is the same in several images "
    "of a class at the same distance from a corner or the centre; flagged are those that bear it, "
    f"if at least {LEAST_IMAGES} different pictures and {LEAST_SHARE:.0%} of the class do, and of "
    f"other classes less than {OTHERS:.0%} as many."
)
MOST_STAMPS = 4
"""Of a class that are looked for."""
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
        top, left, bottom, right = self.box
        large = (bottom - top) * (right - left) >= LEAST_CELLS
        enough = large and self.pictures >= LEAST_IMAGES and self.share >= LEAST_SHARE
        return enough and self.others < OTHERS * self.share


def fixed_positions(
    parts: UInt8[np.ndarray, "n 6 p p"],
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
    for row, size in enumerate(sizes):
        for anchor in range(len(ANCHORS)):
            details[row, anchor][~inside(anchor, (int(size[0]), int(size[1])))] = np.nan
    findings: list[Finding] = []
    for column, name in enumerate(class_names):
        stamps = shared_parts(parts, details, tags[:, column], single)
        findings += _findings(stamps, ids, splits, name, tags[:, column], sizes)
        advance()
    return CheckResult(int(tags.sum()), RULE, ranked(findings, most))


def detail(grey: UInt8[np.ndarray, "n p p"]) -> Float32[np.ndarray, "n p p"]:
    """What is left of grey values when their smooth part is taken off, in grey levels."""
    return np.stack([
        (one := picture.astype(np.float32)) - cv2.GaussianBlur(one, (0, 0), BLOCK_CELLS / 2)
        for picture in grey
    ])  # fmt: skip


def shared_parts(
    parts: UInt8[np.ndarray, "n 6 p p"],
    details: Float32[np.ndarray, "n 6 p p"],
    tagged: Bool[np.ndarray, " n"],
    single: Bool[np.ndarray, " n"],
) -> list[Stamp]:
    """The stamps of a class, one after the other; the best candidate alone where there is none.

    A watermark is another one in images of another shape, if it is stretched with them. Arguments
    are those of `shared_part`.
    """
    stamps: list[Stamp] = []
    left = np.ones(len(tagged), dtype=bool)
    while len(stamps) < MOST_STAMPS:
        found = shared_part(parts, details, tagged, single, left)
        if found is None or (stamps and not found.is_stamp):
            break
        stamps.append(found)
        left &= found.correlation < BEARS
        if not found.is_stamp:
            break
    return stamps


def shared_part(
    parts: UInt8[np.ndarray, "n 6 p p"],
    details: Float32[np.ndarray, "n 6 p p"],
    tagged: Bool[np.ndarray, " n"],
    single: Bool[np.ndarray, " n"],
    left: Bool[np.ndarray, " n"],
) -> Stamp | None:
    """The part that most different pictures of a class share at a fixed place.

    Blocks at the same place are compared between all pairs of pictures of the class, and with
    pictures of other classes. The block of the picture that is like the greatest share of its
    class, less the share of others, is where the part is; its box is where those are the same
    but for `SAME_GREY`, and every image is correlated with their mean there.

    Args:
        parts: grey values at `ANCHORS`.
        details: theirs; NaN outside of images.
        tagged: whether an image has the class's tag.
        single: one image of each group of near-duplicates.
        left: images among which it is looked for.

    Returns:
        the best candidate, whether or not it is a stamp; None where no two blocks are alike.
    """
    own, others = (_some(np.flatnonzero(one & single)) for one in (tagged & left, ~tagged))
    if len(own) < 2:
        return None
    best: Stamp | None = None
    for anchor in range(len(ANCHORS)):
        alike = _most_alike(details[own, anchor], details[others, anchor])
        if alike is None:
            continue
        bearers, place = alike
        box = _box(parts[own[bearers], anchor], details[own[bearers], anchor], place)
        stamp = _measured(details[:, anchor], own[bearers], anchor, box, tagged, single)
        if best is None or _rank(stamp) > _rank(best):
            best = stamp
    return best


def _some(rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    if len(rows) <= MOST_COMPARED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_COMPARED).round().astype(int)]


def _rank(stamp: Stamp) -> tuple[bool, float, int]:
    top, left, bottom, right = stamp.box
    return stamp.is_stamp, stamp.share - stamp.others, (bottom - top) * (right - left)


def _most_alike(
    own: Float32[np.ndarray, "m p p"], others: Float32[np.ndarray, "k p p"]
) -> tuple[Int64[np.ndarray, " j"], tuple[int, int]] | None:
    """The images that are alike in some block in which others are not, and its top and left cell.

    None where no block is shared by two.
    """
    side = own.shape[1]
    best, found = 0.0, None
    for top in range(0, side - BLOCK_CELLS + 1, STEP_CELLS):
        for left in range(0, side - BLOCK_CELLS + 1, STEP_CELLS):
            part = (slice(None), slice(top, top + BLOCK_CELLS), slice(left, left + BLOCK_CELLS))
            least = LEAST_DETAIL * BLOCK_CELLS
            vectors = _unit(own[part].reshape(len(own), -1), least)
            alike = vectors @ vectors.T >= SAME_BLOCK
            excess = (alike.sum(axis=1) - 1) / len(own)
            if excess.max() <= best:
                continue
            if len(others):
                other = _unit(others[part].reshape(len(others), -1), least)
                excess = excess - (vectors @ other.T >= SAME_BLOCK).mean(axis=1)
            if excess.max() > best:
                best = float(excess.max())
                found = np.flatnonzero(alike[excess.argmax()]), (top, left)
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
    busy = np.abs(np.median(details, axis=0)) >= LEAST_DETAIL  # not where an image ends
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
    part = details[:, top:bottom, left:right].reshape(len(details), -1)
    vectors = _unit(part, LEAST_DETAIL * float(np.sqrt(part.shape[1])))
    template = _unit(np.median(part[bearers], axis=0)[None], 1e-3)[0]
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
    stamps: Sequence[Stamp],
    ids: Sequence[str],
    splits: Sequence[str],
    name: str,
    tagged: Bool[np.ndarray, " n"],
    sizes: Int64[np.ndarray, "n 2"],
) -> Iterator[Finding]:
    """One finding for each image of the class, about the stamp that it is most like."""
    for row in np.flatnonzero(tagged) if stamps else ():
        stamp = max(stamps, key=lambda one: float(one.correlation[row]))
        correlation = float(np.clip(stamp.correlation[row], 0, 1))
        top, left, bottom, right = box_px(
            stamp.anchor, stamp.box, (int(sizes[row, 0]), int(sizes[row, 1]))
        )
        yield Finding(
            "fixed_position",
            correlation if stamp.is_stamp else NOT_SHARED * correlation,
            stamp.is_stamp and correlation >= BEARS,
            f"Look at the marked part: if it gives {name} away, crop it off or paint it over.",
            ids[row],
            splits[row],
            name,
            evidence={
                "left_px": left,
                "top_px": top,
                "right_px": right,
                "bottom_px": bottom,
                "correlation": correlation,
                "share_of_class": stamp.share,
                "share_of_others": stamp.others,
            },
        )


def _unit(vectors: Float32[np.ndarray, "n k"], least: float) -> Float32[np.ndarray, "n k"]:
    """Vectors of mean 0 and length 1; 0 where the length is below `least`, and with NaN."""
    vectors = np.where(np.isnan(vectors).any(axis=1, keepdims=True), 0, vectors)
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: Float32[np.ndarray, "n k"] = np.where(
        length >= least, centred / np.maximum(length, 1e-6), 0
    )
    return unit
