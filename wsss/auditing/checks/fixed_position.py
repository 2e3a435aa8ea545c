"""A stamp or watermark: pixels that are the same at a fixed place in many images of a class."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int64

from wsss.auditing.checks.shared_part import shared_parts
from wsss.auditing.checks.stamp import (
    BEARS,
    CHANCE,
    LEAST_IMAGES,
    LEAST_SHARE,
    OTHERS,
    Parts,
    Stamp,
)
from wsss.auditing.finding import CheckResult, Finding, ranked
from wsss.auditing.looks import box_px

RULE = (
    "Images are ranked by the correlation of their details with those that several images of a "
    "class have in common at the same distance from a corner or the centre; flagged are those that "
    f"bear them, if at least {LEAST_IMAGES} different pictures and {LEAST_SHARE:.0%} of the class "
    f"do, of other classes less than {OTHERS:.0%} as many, and not by chance (p < {CHANCE:g})."
)
NOT_SHARED = 0.3
"""Factor of the score of images that no stamp was found in."""


def fixed_positions(
    parts: Parts,
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
        parts: of all images.
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
    findings: list[Finding] = []
    for column, name in enumerate(class_names):
        stamps = shared_parts(parts, tags[:, column], single)
        findings += _findings(stamps, ids, splits, name, tags[:, column], parts.sizes)
        advance()
    return CheckResult(int(tags.sum()), RULE, ranked(findings, most))


def _findings(
    stamps: Sequence[Stamp],
    ids: Sequence[str],
    splits: Sequence[str],
    name: str,
    tagged: Bool[np.ndarray, " n"],
    sizes: Int64[np.ndarray, "n 2"],
) -> Iterator[Finding]:
    """One finding for each image of the class, about the stamp that it is most like."""
    for row in np.flatnonzero(tagged).tolist() if stamps else ():
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
