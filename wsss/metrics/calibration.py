"""Whether a segmenter's probabilities mean what they say, pixel by pixel.

Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

import numpy as np
from jaxtyping import Float, Int64, UInt8, UInt16

from wsss.data.sample import VOID_LABEL

NUM_BINS = 15
FULL = 2**16 - 1
"""A confidence of 1 in the whole numbers that are counted: exact sums, 15 equal bins."""
BIN = FULL // NUM_BINS

BinCounts = Int64[np.ndarray, "15 3"]
"""Of each bin: pixels, those with the right label, and the sum of confidences in units of 1/FULL.

Bin m holds confidences in (m/15, (m+1)/15], as in eq. 3 of the paper; the first one 0 as well."""


def bin_counts(
    labels: UInt8[np.ndarray, "*shape"],
    confidences: UInt16[np.ndarray, "*shape"],
    target: UInt8[np.ndarray, "*shape"],
) -> BinCounts:
    """Count the pixels of an image by confidence; void targets are left out.

    Args:
        labels: the most probable label of each pixel.
        confidences: its probability in units of 1/FULL.
        target: 0 background, 1…C classes, 255 void.
    """
    known = target != VOID_LABEL
    confidence, right = confidences[known].astype(np.int64), (labels == target)[known]
    bins = (np.maximum(confidence, 1) - 1) // BIN
    # As doubles these sums are exact: an image has fewer than 2³⁷ pixels.
    counts = (np.bincount(bins, one, NUM_BINS) for one in (None, right, confidence))
    return np.stack([*counts], axis=1).astype(np.int64)


def expected_calibration_error(
    sums: Float[np.ndarray, "*shape 15 3"],
) -> Float[np.ndarray, "*shape"]:
    """Mean of |accuracy − confidence| over the bins, weighted by their pixels (eq. 3), in [0, 1].

    Args:
        sums: counts of images, summed; NaN where nothing was counted.
    """
    pixels, right, confidence = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    gaps, total = np.abs(right - confidence / FULL).sum(axis=-1), pixels.sum(axis=-1)
    error: Float[np.ndarray, "*shape"] = np.full(total.shape, np.nan)
    np.divide(gaps, total, out=error, where=total > 0)
    return error


def reliability(sums: BinCounts) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and pixels of every bin that has some, in ascending order."""
    return [
        (confidence / FULL / pixels, right / pixels, int(pixels))
        for pixels, right, confidence in sums.tolist()
        if pixels
    ]
