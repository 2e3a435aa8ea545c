"""What an image adds to the mean IoU of a data set: pixels by label, and the mean of their sums."""

import numpy as np
from jaxtyping import Float, Int64

from wsss.metrics.confusion import void_as_background

Overlaps = Int64[np.ndarray, "c1 3"]
"""Of each label, background first: pixels of it in both masks, in the prediction, in the truth."""


def overlaps(counts: Int64[np.ndarray, "c1 c2"]) -> Overlaps:
    """The overlaps of a confusion matrix; pixels without a prediction count as background."""
    square = void_as_background(counts)
    return np.stack([np.diag(square), square.sum(axis=0), square.sum(axis=1)], axis=1)


def iou_of_overlaps(sums: Float[np.ndarray, "*shape c1 3"]) -> Float[np.ndarray, "*shape c1"]:
    """IoU of each label from summed overlaps; NaN for one absent from prediction and target."""
    both, predicted, true = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    union = predicted + true - both
    iou: Float[np.ndarray, "*shape c1"] = np.full_like(both, np.nan)
    np.divide(both, union, out=iou, where=union > 0)
    return iou


def mean_iou_of_overlaps(sums: Float[np.ndarray, "*shape c1 3"]) -> Float[np.ndarray, "*shape"]:
    """Mean IoU over the labels that are present, as `mean_iou`; NaN where nothing was counted."""
    iou = iou_of_overlaps(sums)
    present = ~np.isnan(iou)
    number = present.sum(axis=-1)
    means: Float[np.ndarray, "*shape"] = np.full(number.shape, np.nan)
    np.divide(np.where(present, iou, 0).sum(axis=-1), number, out=means, where=number > 0)
    return means
