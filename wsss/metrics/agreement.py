"""How sure seeds are, and how much two label masks agree: no ground truth, and no torch."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from wsss.data.sample import BACKGROUND_LABEL
from wsss.metrics.confusion import confusion_matrix, iou_per_label


def label_agreement(
    first: UInt8[np.ndarray, "*shape"], second: UInt8[np.ndarray, "*shape"], tags: Sequence[int]
) -> float:
    """Mean IoU of two masks of one image, over background and the image's tags, in [0, 1].

    Pixels that are void in one of them are left out. A tag that neither mask shows counts as 0,
    since the image is known to show it: two masks of background alone do not agree well.

    Args:
        first: 0 background, 1…C classes, 255 void.
        second: likewise.
        tags: mask values of the image's tags, one at least.
    """
    shown = confusion_matrix(first, second, max(tags))[:, :-1]
    background, *of_tags = iou_per_label(shown)[[BACKGROUND_LABEL, *tags]]
    scores = [*np.nan_to_num(of_tags), *([] if np.isnan(background) else [background])]
    return float(np.mean(scores))


def pixel_entropy(maps: Float[np.ndarray, "n h w"], threshold: float) -> float:
    """Mean entropy of the label of a pixel, as a fraction of the largest, in [0, 1].

    `H = −Σ p ln p / ln(n + 1)` with `p` proportional to the maps and, for background, to the
    threshold: 0 where one score is all there is, 1 where all are equal.

    Args:
        maps: activation maps of the image's n ≥ 1 tags, in [0, 1].
        threshold: that of background, in (0, 1).
    """
    scores = np.concatenate([np.full((1, *maps.shape[1:]), threshold), maps.astype(np.float64)])
    shares = scores / scores.sum(axis=0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return float(-(shares * logs).sum(axis=0).mean() / np.log(len(scores)))
