"""The bootstrap over images: how far a score would move with other images of the same kind.

Images are drawn with replacement (Efron, Bootstrap Methods: Another Look at the Jackknife, 1979),
and the score is computed anew from the sums of what was counted in each. Two scores of the same
images are compared draw by draw: what makes an image hard for both cancels out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

RESAMPLES = 2000
LEVEL = 0.95
"""Share of the resamples that lies within an interval."""
CHUNK = 2**22
"""Weights that are in memory at a time."""

Sums = Float[np.ndarray, "r k"]
Statistic = Callable[[Sums], np.ndarray]
"""From sums of counts [r, k] to a score of each [r], or to several [r, s]."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two scores, with its interval."""

    value: float
    low: float
    high: float
    other_side: float
    """Share of resamples whose difference is zero or has the other sign, in [0, 1]."""


def image_weights(
    num_images: int, num_resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[Float[np.ndarray, "r n"]]:
    """How often each image is in each resample, in chunks; the same seed gives the same ones.

    Args:
        num_images: n ≥ 1.
        num_resamples: all chunks together.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, CHUNK // num_images)
    for start in range(0, num_resamples, rows):
        count = min(rows, num_resamples - start)
        drawn = rng.integers(num_images, size=(count, num_images))
        drawn += num_images * np.arange(count)[:, None]
        flat = np.bincount(drawn.ravel(), minlength=count * num_images)
        yield flat.reshape(count, num_images).astype(np.float64)


def resampled(
    counts: Float[np.ndarray, "n k"] | Int64[np.ndarray, "n k"],
    statistic: Statistic,
    num_resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """A statistic of the summed counts of each resample of n ≥ 1 images: [num_resamples, …].

    Args:
        counts: of each image. Whole numbers stay exact up to 2⁵³.
        statistic: takes sums [r, k].
        num_resamples: how many.
        seed: of the draws: equal seeds draw equal images, whatever was counted in them.
    """
    counts = counts.astype(np.float64)
    weights = image_weights(len(counts), num_resamples, seed)
    return np.concatenate([statistic(some @ counts) for some in weights])


def mean_of_sums(sums: Float[np.ndarray, "r k2"]) -> Float[np.ndarray, "r k"]:
    """Means from sums and, behind them, the numbers of summands; NaN where there were none."""
    totals, numbers = np.split(sums, 2, axis=1)
    means: Float[np.ndarray, "r k"] = np.full_like(totals, np.nan)
    np.divide(totals, numbers, out=means, where=numbers > 0)
    return means


def summands(values: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k2"]:
    """Values and, behind them, 1 for each that is there: what `mean_of_sums` takes the sums of."""
    there = ~np.isnan(values)
    return np.concatenate([np.where(there, values, 0.0), there.astype(np.float64)], axis=1)


def mean_intervals(
    values: Float[np.ndarray, "n k"], num_resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "2 k"]]:
    """The mean of each column, and its interval; NaNs are left out.

    Args:
        values: of n ≥ 1 images.
        num_resamples: of images.
        seed: of the draws.

    Returns:
        means, and lower and upper ends of their intervals; NaN where a column has no value.
    """
    counts = summands(values)
    draws = resampled(counts, mean_of_sums, num_resamples, seed)
    return mean_of_sums(counts.sum(axis=0)[None])[0], np.stack(interval(draws))


def interval(draws: np.ndarray, level: float = LEVEL) -> tuple[Any, Any]:
    """The percentile interval of resamples [r, …]; those without a score, NaN, are left out."""
    low, high = np.full((2, *draws.shape[1:]), np.nan)
    scored = ~np.isnan(draws).all(axis=0)
    ends = [(1 - level) / 2, (1 + level) / 2]
    if draws.ndim == 1:
        return tuple(np.nanquantile(draws, ends)) if scored else (np.nan, np.nan)
    low[scored], high[scored] = np.nanquantile(draws[:, scored], ends, axis=0)
    return low, high


def over_seeds(
    scores: Float[np.ndarray, "s r"], seed: int = 0, stream: int = 0
) -> Float[np.ndarray, " r"]:
    """The mean score of s trainings in each resample of trainings and images.

    Hierarchical: trainings are drawn with replacement first, then images. All drawn trainings see
    the same draw of images, as they saw the same images: drawing others for each would make the
    chance in the images smaller than it is (Owen, The Pigeonhole Bootstrap, 2007).

    Args:
        scores: of every training, each on the images of every resample.
        seed: of the draws of trainings.
        stream: equal ones draw equal trainings, others independent ones.
    """
    count, num_resamples = scores.shape
    if count == 1:
        only: Float[np.ndarray, " r"] = scores[0]
        return only
    rng = np.random.default_rng([seed, 1 + stream])  # Apart from the stream that draws images.
    drawn = rng.integers(count, size=(count, num_resamples))
    means: Float[np.ndarray, " r"] = np.take_along_axis(scores, drawn, axis=0).mean(axis=0)
    return means


def difference(value: float, draws: Float[np.ndarray, " r"]) -> Difference:
    """A difference with its interval, from the difference in each resample."""
    low, high = interval(draws)
    scored = draws[~np.isnan(draws)]
    share = float(np.mean(np.sign(value) * scored <= 0)) if len(scored) else np.nan
    return Difference(float(value), float(low), float(high), share)
