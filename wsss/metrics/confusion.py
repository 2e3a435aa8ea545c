"""The confusion matrix of label masks, and scores computed from it."""

import numpy as np
from jaxtyping import Float, Int64, UInt8

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL


def confusion_matrix(
    prediction: UInt8[np.ndarray, "*shape"],
    target: UInt8[np.ndarray, "*shape"],
    num_classes: int,
) -> Int64[np.ndarray, "c1 c2"]:
    """Count pixels by true label (row) and predicted label (column), exactly, in int64.

    Pixels with a void target are ignored. Those with a void prediction, as in pseudo masks, are
    counted in the last column.

    Args:
        prediction: 0 background, 1…C classes, 255 void.
        target: the same.
        num_classes: C, without background.

    Returns:
        [C+1, C+2]: the last column holds the pixels without a prediction.

    Raises:
        ValueError: shapes differ, or a value is no label.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ in shape")
    num_labels = num_classes + 1
    for name, mask in (("prediction", prediction), ("target", target)):
        if (wrong := mask[(mask >= num_labels) & (mask != VOID_LABEL)]).size:
            raise ValueError(f"{name} holds {wrong[0]}: expected 0…{num_classes} or {VOID_LABEL}")
    valid = target != VOID_LABEL
    columns = np.where(prediction == VOID_LABEL, num_labels, prediction)[valid].astype(np.int64)
    pairs = target[valid].astype(np.int64) * (num_labels + 1) + columns
    counts = np.bincount(pairs, minlength=num_labels * (num_labels + 1))
    return counts.reshape(num_labels, num_labels + 1)


def void_as_background(counts: Int64[np.ndarray, "c1 c2"]) -> Int64[np.ndarray, "c1 c1"]:
    """Count void predictions as background, as IRN does: the policy of all headline numbers."""
    square: Int64[np.ndarray, "c1 c1"] = counts[:, :-1].copy()
    square[:, BACKGROUND_LABEL] += counts[:, -1]
    return square


def iou_per_label(counts: Int64[np.ndarray, "c1 c1"]) -> Float[np.ndarray, " c1"]:
    """Intersection over union of each label, NaN for one absent from prediction and target."""
    hits = np.diag(counts).astype(np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hits
    iou: Float[np.ndarray, " c1"] = np.full_like(hits, np.nan)
    np.divide(hits, union, out=iou, where=union > 0)
    return iou


def mean_iou(counts: Int64[np.ndarray, "c1 c1"]) -> float:
    """Mean IoU over the labels present in prediction or target; NaN where nothing was counted."""
    iou = iou_per_label(counts)
    return float(np.nanmean(iou)) if not np.isnan(iou).all() else float("nan")


def pixel_accuracy(counts: Int64[np.ndarray, "c1 c1"]) -> float:
    """Fraction of pixels with the right label; NaN where nothing was counted."""
    total = counts.sum()
    return float(np.trace(counts) / total) if total else float("nan")


def coverage(counts: Int64[np.ndarray, "c1 c2"]) -> float:
    """Fraction of the counted pixels that have a prediction; NaN where nothing was counted."""
    total = counts.sum()
    return float(1 - counts[:, -1].sum() / total) if total else float("nan")
