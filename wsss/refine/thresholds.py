"""Background thresholds of activation maps, without ground truth."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float, Int64

from wsss.argument_checks import check_inside_unit, check_positive

NUM_LEVELS = 256
"""Histogram bins of map values."""

MIN_THRESHOLD, MAX_THRESHOLD = 0.05, 0.95
"""Bounds of estimated thresholds."""

Counts = Int64[np.ndarray, f" {NUM_LEVELS}"]
"""Histogram over [0, 1] of each pixel's strongest map value."""


class ThresholdRule(ABC):
    """A background threshold: pixels whose strongest map stays below it are background."""

    @abstractmethod
    def __call__(self, maps: Float[np.ndarray, "n h w"]) -> float:
        """The threshold of an image with these maps, in (0, 1)."""


class FixedThreshold(ThresholdRule):
    """The same threshold for every image."""

    def __init__(self, threshold: float) -> None:
        """Take a threshold in (0, 1).

        Raises:
            WsssError: it is not.
        """
        check_inside_unit(threshold=threshold)
        self.threshold = threshold

    def __call__(self, maps: Float[np.ndarray, "n h w"]) -> float:
        """The threshold."""
        return self.threshold


class FixedExponent(FixedThreshold):
    """The threshold at which a class and a background score `(1 − max)^α` of given α are equal."""

    def __init__(self, alpha: float) -> None:
        """Take a positive exponent; 1 is a threshold of 0.5, and larger ones lower it.

        Raises:
            WsssError: it is not positive.
        """
        check_positive(alpha=alpha)
        super().__init__(crossing_threshold(alpha))


class HistogramRule(ThresholdRule):
    """A threshold from the histogram of an image's strongest map values."""

    def __call__(self, maps: Float[np.ndarray, "n h w"]) -> float:
        """The threshold of this image alone."""
        return self.of_counts(count_levels(maps))

    def of_counts(self, counts: Counts) -> float:
        """The threshold of a histogram; the lower bound where all values are the same."""
        if np.count_nonzero(counts) < 2:
            return MIN_THRESHOLD
        return float(np.clip(self.parting_value(counts), MIN_THRESHOLD, MAX_THRESHOLD))

    @abstractmethod
    def parting_value(self, counts: Counts) -> float:
        """The threshold of a histogram with two occupied bins at least, in [0, 1]."""


class Otsu(HistogramRule):
    """The threshold of maximal variance between both sides (Otsu 1979)."""

    def parting_value(self, counts: Counts) -> float:
        """Otsu's threshold, in the middle of a run of empty bins."""
        values = level_values()
        below = np.cumsum(counts)[:-1]
        above = counts.sum() - below
        sum_below = np.cumsum(counts * values)[:-1]
        sum_above = counts @ values - sum_below
        parts = (below > 0) & (above > 0)
        variance = np.full(len(below), -1.0)
        means_apart = sum_below[parts] / below[parts] - sum_above[parts] / above[parts]
        variance[parts] = below[parts].astype(np.float64) * above[parts] * means_apart**2
        first = int(variance.argmax())
        last = first + int(np.argmax(np.append(counts[first + 1 :], 1) > 0))
        return (first + last + 2) / (2 * NUM_LEVELS)


class OtsuMean(HistogramRule):
    """Half-way between Otsu's threshold and the mean of the strongest map values.

    Otsu's threshold is independent of the object's size, the mean falls with it. A dense CRF erodes
    small objects more than large ones, which a threshold in between compensates. Found
    empirically: docs/benchmarks.md.
    """

    def parting_value(self, counts: Counts) -> float:
        """The mean of both."""
        mean = float(counts @ level_values() / counts.sum())
        return (Otsu().parting_value(counts) + mean) / 2


class Pooled(ThresholdRule):
    """One threshold for the whole data set, from the summed histogram of all images.

    It is fitted first, to the sum of `count_levels` of every image's maps.
    """

    def __init__(self, rule: HistogramRule) -> None:
        """Take the rule for the summed histogram."""
        self.rule = rule

    def fitted(self, counts: Counts) -> FixedThreshold:
        """The threshold of the histogram of the whole data set, as a rule."""
        return FixedThreshold(self.rule.of_counts(counts))

    def __call__(self, maps: Float[np.ndarray, "n h w"]) -> float:
        """Refuse: the rule must be fitted first.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a pooled threshold is fitted to a data set before it is used")


def count_levels(maps: Float[np.ndarray, "n h w"]) -> Counts:
    """Histogram of each pixel's strongest map value; zeros without maps."""
    if not len(maps):
        return np.zeros(NUM_LEVELS, dtype=np.int64)
    strongest = maps.max(axis=0).astype(np.float32)
    levels = (strongest * NUM_LEVELS).clip(0, NUM_LEVELS - 1).astype(np.int64)
    return np.bincount(levels.ravel(), minlength=NUM_LEVELS)


def level_values() -> Float[np.ndarray, " levels"]:
    """The centre of each histogram bin."""
    return (np.arange(NUM_LEVELS) + 0.5) / NUM_LEVELS


def crossing_alpha(threshold: float) -> float:
    """The exponent with `(1 − t)^α = t`: background and class score are equal at the threshold."""
    return float(np.log(threshold) / np.log1p(-threshold))


def crossing_threshold(alpha: float) -> float:
    """The threshold with `(1 − t)^α = t`, by bisection: `crossing_alpha` falls with it."""
    low, high = 1e-12, 1 - 1e-12
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if crossing_alpha(middle) > alpha else (low, middle)
    return (low + high) / 2
