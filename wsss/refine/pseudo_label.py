"""From scores per label to label masks with void pixels."""

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8, UInt16

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL


def upsample(
    maps: Float[np.ndarray, "n h w"], size: tuple[int, int]
) -> Float32[np.ndarray, "n H W"]:
    """Bilinear resize of maps to `size` (height, width), without aligned corners."""
    height, width = size
    resized = [
        cv2.resize(one.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        for one in maps
    ]
    return np.stack(resized) if resized else np.zeros((0, height, width), dtype=np.float32)


def label_mask(
    scores: Float[np.ndarray, "n1 h w"], labels: UInt16[np.ndarray, " n"], min_confidence: float
) -> UInt8[np.ndarray, "h w"]:
    """The label of the highest score per pixel; void where that score is below `min_confidence`.

    Args:
        scores: background first, then one per entry of `labels`.
        labels: mask values 1…C.
        min_confidence: 0 makes no pixel void.
    """
    confidence = scores.max(axis=0) if min_confidence > 0 else None
    return mask_of_labels(scores.argmax(axis=0), confidence, labels, min_confidence)


def mask_of_labels(
    indices: Int[np.ndarray, "h w"],
    confidence: Float[np.ndarray, "h w"] | None,
    labels: UInt16[np.ndarray, " n"],
    min_confidence: float,
) -> UInt8[np.ndarray, "h w"]:
    """The labels of indices; void where the confidence is below `min_confidence`.

    Args:
        indices: 0 background, then those of `labels` from 1 on.
        confidence: of each pixel; not needed for a `min_confidence` of 0.
        labels: mask values 1…C.
        min_confidence: 0 makes no pixel void.
    """
    values = np.concatenate([[BACKGROUND_LABEL], labels]).astype(np.uint8)
    mask: UInt8[np.ndarray, "h w"] = values[indices]
    if confidence is not None:
        mask[confidence < min_confidence] = VOID_LABEL
    return mask


def agreed(
    first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w"]:
    """The label that two masks agree on; void where they do not (Ahn et al., CVPR 2019)."""
    return np.where(first == second, first, np.uint8(VOID_LABEL))


def threshold_mask(
    maps: Float[np.ndarray, "n h w"], labels: UInt16[np.ndarray, " n"], bg_threshold: float
) -> UInt8[np.ndarray, "h w"]:
    """The label of the highest map per pixel; background where no map reaches `bg_threshold`."""
    background = np.full((1, *maps.shape[1:]), bg_threshold, dtype=maps.dtype)
    return label_mask(np.concatenate([background, maps]), labels, min_confidence=0)
