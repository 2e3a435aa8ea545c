"""The same picture twice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from wsss.auditing.finding import CheckResult, Finding, ranked

COARSE_PX = 16
"""Side of the thumbnails among which all pairs are compared."""
CANDIDATE, SAME = 0.8, 0.95
"""Least correlation of thumbnails to look closer, and after alignment to be the same picture."""
BLOCK = 1024
"""Images of which all correlations with others are in memory at once: 40 MB for 10,000 others."""
PER_IMAGE = 5
"""Candidates of an image that are aligned, the best ones."""
RULE = (
    "Pairs of images are ranked by the correlation of their thumbnails after an affine alignment, "
    f"which makes up for a crop; pairs with {SAME:g} or more are the same picture, and flagged "
    "where their tags differ or one is in train, the other in val."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that look alike."""

    first: int
    second: int
    correlation: float
    """After alignment, in [0, 1]."""

    @property
    def is_same(self) -> bool:
        """Whether they are the same picture."""
        return self.correlation >= SAME


def alike(
    thumbnails: UInt8[np.ndarray, "n s s 3"], advance: Callable[[int], None] = lambda _: None
) -> list[Pair]:
    """Pairs of images that look alike, found among all pairs.

    Args:
        thumbnails: of all images, squares.
        advance: called with the number of images that have been compared with all others.
    """
    vectors = _standardised(thumbnails)
    pairs = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        found = block @ vectors.T
        found[np.arange(len(vectors))[None] <= start + np.arange(len(block))[:, None]] = -1
        for row in range(len(block)):
            best = np.flatnonzero(found[row] >= CANDIDATE)
            best = best[np.argsort(-found[row, best], kind="stable")][:PER_IMAGE]
            for column in best:
                first, second = start + row, int(column)
                pairs.append(Pair(first, second, aligned(thumbnails[first], thumbnails[second])))
        advance(len(block))
    return pairs


def aligned(one: UInt8[np.ndarray, "s s 3"], other: UInt8[np.ndarray, "s s 3"]) -> float:
    """Correlation of two thumbnails after an affine alignment, in [0, 1].

    The alignment is that of the greatest enhanced correlation coefficient (Evangelidis and
    Psarakis, PAMI 2008), which brightness and contrast do not change. 0 where none is found, and
    where the two share less than half of the picture.
    """
    grey = [
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (one, other)
    ]
    warp: Float32[np.ndarray, "2 3"] = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
    try:
        _, warp = cv2.findTransformECC(grey[0], grey[1], warp, cv2.MOTION_AFFINE, criteria)
    except cv2.error:  # It does not converge: the two are nothing alike.
        return 0.0
    size = grey[0].shape[::-1]
    inverse = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(grey[1], warp, size, flags=inverse)
    seen = cv2.warpAffine(np.ones_like(grey[1]), warp, size, flags=inverse) > 0.99
    if seen.mean() < 0.5:
        return 0.0
    return max(0.0, _correlation(grey[0][seen], moved[seen]))


def near_duplicates(
    pairs: Sequence[Pair],
    ids: Sequence[str],
    splits: Sequence[str],
    class_names: Sequence[str],
    tags: Bool[np.ndarray, "n c"],
    most: int,
) -> CheckResult:
    """Findings of the kind `near_duplicate`; the score is the correlation after alignment.

    Args:
        pairs: of `alike`.
        ids: of all images.
        splits: of each image.
        class_names: of the classes.
        tags: of each image.
        most: how many findings to keep at least.
    """
    return CheckResult(
        len(ids), RULE, ranked([*_findings(pairs, ids, splits, class_names, tags)], most)
    )


def _findings(
    pairs: Sequence[Pair],
    ids: Sequence[str],
    splits: Sequence[str],
    class_names: Sequence[str],
    tags: Bool[np.ndarray, "n c"],
) -> Iterator[Finding]:
    for pair in pairs:
        first, second = pair.first, pair.second
        differ = np.flatnonzero(tags[first] != tags[second])
        across = splits[first] != splits[second]
        harm = bool(len(differ)) or across
        advice = "Nothing to do: the tags are equal and both are in one split."
        if across:
            advice = "Remove one of the two, best the one in val: scores on it are remembered."
        if len(differ):
            names = ", ".join(class_names[one] for one in differ.tolist())
            advice = f"Look which tags are right ({names}), and give both the same." + (
                f" {advice}" if across else ""
            )
        yield Finding(
            "near_duplicate",
            # What harms comes before what does not, of pairs that are the same picture.
            min(1.0, pair.correlation) * (1.0 if harm else 0.5),
            pair.is_same and harm,
            advice,
            ids[first],
            splits[first],
            class_names[differ[0]] if len(differ) == 1 else None,
            ids[second],
            {
                "correlation": pair.correlation,
                "different_tags": float(bool(len(differ))),
                "across_splits": float(across),
            },
        )


def _standardised(thumbnails: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n k"]:
    """Small thumbnails as vectors of mean 0 and length 1; of a plain picture all 0."""
    side = (COARSE_PX, COARSE_PX)
    small = np.stack([cv2.resize(one, side, interpolation=cv2.INTER_AREA) for one in thumbnails])
    flat = small.reshape(len(small), -1, 3).astype(np.float32)
    flat = (flat - flat.mean(axis=1, keepdims=True)).reshape(len(small), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    vectors: Float32[np.ndarray, "n k"] = flat / np.maximum(length, 1e-3)
    return vectors


def _correlation(one: Float32[np.ndarray, " n"], other: Float32[np.ndarray, " n"]) -> float:
    a, b = one - one.mean(), other - other.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0
