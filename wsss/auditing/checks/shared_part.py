"""The search for parts of the picture that images of a class share at a fixed place."""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from wsss.auditing.checks.stamp import (
    BEARS,
    BLOCK_CELLS,
    LEAST_DETAIL,
    Parts,
    Stamp,
    measured_stamp,
)
from wsss.auditing.looks import ANCHORS

STEP_CELLS = 4
"""Distance of the blocks that are compared between images, in cells of the parts."""
SAME_BLOCK = 0.8
"""Least correlation of two blocks' details."""
MOST_COMPARED = 200
"""Images of a class, and of others, of which all pairs are compared, at even distances."""
MOST_STAMPS = 4
"""Of a class that are looked for."""


def shared_parts(
    parts: Parts, tagged: Bool[np.ndarray, " n"], single: Bool[np.ndarray, " n"]
) -> list[Stamp]:
    """The stamps of a class, one after the other; the best candidate alone where there is none.

    A watermark is another one in images of another shape, if it is stretched with them.

    Args:
        parts: of all images.
        tagged: whether an image has the class's tag.
        single: one image of each group of near-duplicates.
    """
    stamps: list[Stamp] = []
    left = np.ones(len(tagged), dtype=bool)
    while len(stamps) < MOST_STAMPS:
        found = _best(parts, tagged, single, left)
        if found is None or (stamps and not found.is_stamp):
            break
        stamps.append(found)
        left &= found.correlation < BEARS
        if not found.is_stamp:
            break
    return stamps


def _best(
    parts: Parts,
    tagged: Bool[np.ndarray, " n"],
    single: Bool[np.ndarray, " n"],
    left: Bool[np.ndarray, " n"],
) -> Stamp | None:
    """The part that most different pictures share, among those that are left.

    Blocks at the same place are compared between all pairs of pictures of the class, and with
    pictures of other classes. The block of the picture that is like the greatest share of its
    class, less the share of others, is where the part is.

    Returns:
        the best candidate, whether or not it is a stamp; None where no two blocks are alike.
    """
    own, others = (_some(np.flatnonzero(one & single)) for one in (tagged & left, ~tagged))
    best: Stamp | None = None
    for anchor in range(len(ANCHORS)) if len(own) > 1 else ():
        details = parts.details(anchor, own)
        alike = _most_alike(details, parts.details(anchor, others))
        if alike is None:
            continue
        stamp = measured_stamp(parts, anchor, own, details, *alike, tagged, single)
        if best is None or _rank(stamp) > _rank(best):
            best = stamp
    return best


def _some(rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    if len(rows) <= MOST_COMPARED:
        return rows
    some: Int64[np.ndarray, " m"] = rows[
        np.linspace(0, len(rows) - 1, MOST_COMPARED).round().astype(int)
    ]
    return some


def _rank(stamp: Stamp) -> tuple[bool, float, int]:
    top, left, bottom, right = stamp.box
    return stamp.is_stamp, stamp.share - stamp.others, (bottom - top) * (right - left)


def _most_alike(
    own: Float32[np.ndarray, "m p p"], others: Float32[np.ndarray, "k p p"]
) -> tuple[Bool[np.ndarray, " m"], tuple[int, int]] | None:
    """The images that are alike in some block in which others are not, and its top and left cell.

    Of blocks that as many share the one of most contrast: beside a stamp is its halo.

    None where no block is shared by two.
    """
    side = own.shape[1]
    best, found = (0.0, 0.0), None
    for top in range(0, side - BLOCK_CELLS + 1, STEP_CELLS):
        for left in range(0, side - BLOCK_CELLS + 1, STEP_CELLS):
            block = (slice(None), slice(top, top + BLOCK_CELLS), slice(left, left + BLOCK_CELLS))
            vectors = _unit(own[block])
            alike = vectors @ vectors.T >= SAME_BLOCK
            excess = (alike.sum(axis=1) - 1) / len(own)
            if excess.max() <= 0 or excess.max() < best[0]:
                continue
            if len(others):
                excess = excess - (vectors @ _unit(others[block]).T >= SAME_BLOCK).mean(axis=1)
            bears, most = alike[excess.argmax()], float(excess.max())
            if most <= 0 or most < best[0]:
                continue
            contrast = float(np.linalg.norm(own[block][bears].mean(axis=0)))
            if (most, contrast) > best:
                best, found = (most, contrast), (bears, (top, left))
    return found


def _unit(blocks: Float32[np.ndarray, "n b b"]) -> Float32[np.ndarray, "n k"]:
    """Vectors of mean 0 and length 1; 0 of plain blocks, and of those not inside the image."""
    vectors = blocks.reshape(len(blocks), -1)
    centred = np.nan_to_num(vectors - vectors.mean(axis=1, keepdims=True))
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    busy = length >= LEAST_DETAIL * BLOCK_CELLS
    unit: Float32[np.ndarray, "n k"] = np.where(busy, centred / np.maximum(length, 1e-6), 0)
    return unit
