"""From scores per label to a mask with a void band: pure functions."""

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL


def upsample(
    maps: Float[np.ndarray, "n h w"], size: tuple[int, int]
) -> Float32[np.ndarray, "n H W"]:
    """Bilinear resize of maps to `size` (height, width), pixel centres aligned."""
    height, width = size
    resized = [
        cv2.resize(one.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        for one in maps
    ]
    return np.stack(resized) if resized else np.zeros((0, height, width), dtype=np.float32)


def otsu_threshold(maps: Float32[np.ndarray, "n h w"]) -> float:
    """The level that best parts an image's strongest map values into low and high ones.

    Otsu's threshold (1979) of `max_c M_c` in 256 steps, kept within [0.05, 0.95]: a label-free
    estimate, from the image itself, of where background ends.
    """
    levels = (maps.max(axis=0, initial=0) * 255).clip(0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(np.clip((threshold + 0.5) / 255, 0.05, 0.95))


def crossing_alpha(threshold: float) -> float:
    """The exponent with `(1 − t)^α = t`: background and class score are equal at the threshold."""
    return float(np.log(threshold) / np.log(1 - threshold))


def with_background(
    maps: Float32[np.ndarray, "n h w"], alpha: float | None = None
) -> Float32[np.ndarray, "n1 h w"]:
    """Put the background score `(1 − max_c M_c)^α` before class maps in [0, 1].

    Label-free: a pixel is background as far as no class claims it (Ahn and Kwak, CVPR 2018, eq. 1).
    A smaller `alpha` gives more background; None takes the one of Otsu's threshold.
    """
    strongest = maps.max(axis=0, initial=0)
    if alpha is None:
        alpha = crossing_alpha(otsu_threshold(maps))
    background = (1 - strongest).clip(0, 1) ** alpha
    return np.concatenate([background[None].astype(np.float32), maps])


def label_mask(
    scores: Float[np.ndarray, "n1 h w"], labels: UInt16[np.ndarray, " n"], min_confidence: float
) -> UInt8[np.ndarray, "h w"]:
    """The label of the highest score per pixel; void where that score is below `min_confidence`.

    Args:
        scores: background first, then one per entry of `labels`.
        labels: mask values 1…C.
        min_confidence: 0 leaves no pixel void.
    """
    values = np.concatenate([[BACKGROUND_LABEL], labels]).astype(np.uint8)
    mask: UInt8[np.ndarray, "h w"] = values[scores.argmax(axis=0)]
    mask[scores.max(axis=0) < min_confidence] = VOID_LABEL
    return mask


def threshold_mask(
    maps: Float[np.ndarray, "n h w"], labels: UInt16[np.ndarray, " n"], bg_threshold: float
) -> UInt8[np.ndarray, "h w"]:
    """The label of the highest map per pixel; background where no map reaches `bg_threshold`."""
    background = np.full((1, *maps.shape[1:]), bg_threshold, dtype=maps.dtype)
    return label_mask(np.concatenate([background, maps]), labels, min_confidence=0)
