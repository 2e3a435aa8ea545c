"""Images whose results contradict each other, without ground truth."""

from collections.abc import Sequence

from wsss.report.doubt import MEANINGS, MIN_SHARE
from wsss.report.results import DoubtfulImage, Results
from wsss.report.section import WHERE_IT_FAILS, Section

MOST = 8
"""Images of each split that are listed; the gallery sorts all by doubt."""
NAMED_PARTS = 2
"""The largest parts of a doubt that are told."""
MIN_IMAGES = 8
"""Fewer have no quarter worth a mean."""

EXPLAINED = (
    "Doubt is label-free: the mean of what two results of an image disagree about, each part in "
    "[0, 1]. Training images: 1 − mean IoU of thresholded seeds and pseudo mask; entropy of a "
    "pixel's label by the seeds, of the largest possible; share of the tags that the pseudo mask "
    "would not show; share of its pixels without a label. Validation images: tags and predicted "
    f"classes (of {100 * MIN_SHARE:g} % of the pixels or more) that are only one of both, of all; "
    "1 − mean IoU of the prediction at one scale and that of several scales, mirror images and "
    "CRF. Splits have other parts: compare within one."
)
"""What doubt is, in plain words."""


def doubtful(results: Results) -> Section | None:
    """The most doubtful images of each split, and whether doubt finds the wrong ones (oracle)."""
    groups = []
    shown = {(str(one["split"]), str(one["id"])) for one in results.gallery.entries}
    for split in dict.fromkeys(image.split for image in results.images):
        own = [one for one in results.images if one.split == split and one.doubt is not None]
        if own:
            ranked = sorted(own, key=lambda one: (-(one.doubt or 0.0), one.item_id))
            groups.append({
                "split": split,
                "images": ranked[:MOST],
                "reasons": [_reason(one) for one in ranked[:MOST]],
                "quarters": quarters(own),
            })  # fmt: skip
    if not groups:
        return None
    return Section(
        name="doubtful",
        title="Doubtful images",
        lead="Images whose results contradict each other most; the gallery shows and sorts them.",
        data={"groups": groups, "explained": EXPLAINED, "shown": shown},
        part=WHERE_IT_FAILS,
    )


def quarters(images: Sequence[DoubtfulImage]) -> tuple[float, float] | None:
    """Mean IoU of the most and of the least doubtful quarter (oracle); None where too few have one.

    Args:
        images: of one split.
    """
    scored = sorted(
        (one for one in images if one.score is not None and one.doubt is not None),
        key=lambda one: (-(one.doubt or 0.0), one.item_id),
    )
    if len(scored) < MIN_IMAGES:
        return None
    quarter = len(scored) // 4
    most, least = (
        sum(one.score or 0.0 for one in part) / quarter
        for part in (scored[:quarter], scored[-quarter:])
    )
    return most, least


def _reason(image: DoubtfulImage) -> str:
    """The largest parts of a doubt in words."""
    parts = sorted(image.parts.items(), key=lambda part: (-part[1], part[0]))
    return "; ".join(
        f"{MEANINGS.get(name, name)} ({100 * value:.0f} %)"
        for name, value in parts[:NAMED_PARTS]
        if value > 0
    )
