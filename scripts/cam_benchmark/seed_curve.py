"""The mIoU of seeds at every background threshold: an oracle's curve, for it opens masks."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64, UInt8, UInt16

from wsss.metrics.confusion import confusion_matrix, mean_iou, void_as_background
from wsss.refine.pseudo_label import threshold_mask


def seed_counts(
    maps: Float[np.ndarray, "n h w"],
    labels: UInt16[np.ndarray, " n"],
    target: UInt8[np.ndarray, "h w"],
    num_classes: int,
    thresholds: Sequence[float],
) -> Int64[np.ndarray, "t c1 c2"]:
    """Confusion matrices of an image's seeds at every threshold; those of images are summed.

    Args:
        maps: in [0, 1], at the size of the target.
        labels: mask values 1…C of the maps.
        target: 0 background, 1…C classes, 255 void.
        num_classes: C.
        thresholds: a pixel is background where no map is above.
    """
    return np.stack(
        [
            confusion_matrix(threshold_mask(maps, labels, threshold), target, num_classes)
            for threshold in thresholds
        ]
    )


def seed_miou(counts: Int64[np.ndarray, "t c1 c2"]) -> Float[np.ndarray, " t"]:
    """Mean IoU, with background, at every threshold of summed counts."""
    return np.array([mean_iou(void_as_background(matrix)) for matrix in counts])
