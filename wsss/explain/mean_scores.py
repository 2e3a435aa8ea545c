"""Mean scores of methods over several images, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wsss.metrics.bootstrap import LEVEL, RESAMPLES, interval, mean_of_sums, resampled, summands

FIGURES = (
    *("drop", "increase", "drop_in_deletion", "complexity", "coherency", "adcc"),
    *("deletion", "insertion"),
)
"""What `faithfulness_scores` measures of every map, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class MeanScore:
    """The mean of a figure over all maps of a method."""

    value: float
    low: float
    """Lower end of its interval; NaN where there is a single image."""
    high: float
    num_images: int


Means = Mapping[str, Mapping[str, MeanScore]]
"""By method and figure."""


def mean_scores(entries: Sequence[Mapping[str, Any]], num_resamples: int = RESAMPLES) -> Means:
    """Means over all maps of each method, with intervals over images; all draw the same images.

    Maps of one image are drawn together, as they were measured on one image. An image on which a
    method gave no map, or a ratio to a probability near zero, is left out of its means.

    Args:
        entries: of images, each a mapping with `explanations` and `baselines`: figures by maps.
        num_resamples: of images.
    """
    maps = [[*one.get("explanations", ()), *one.get("baselines", ())] for one in entries]
    methods = dict.fromkeys(figures["method"] for of_image in maps for figures in of_image)
    return {
        method: {
            name: _mean(
                [[one.get(name) for one in own if one["method"] == method] for own in maps],
                num_resamples,
            )
            for name in FIGURES
            if any(one["method"] == method and name in one for own in maps for one in own)
        }
        for method in methods
    }


def _mean(values: Sequence[Sequence[float | None]], num_resamples: int) -> MeanScore:
    """The mean over the maps of several images, with its interval."""
    sums = np.zeros((len(values), 2))
    for row, own in enumerate(values):
        if known := [one for one in own if one is not None]:
            sums[row] = summands(np.array(known, dtype=np.float64)[:, None]).sum(axis=0)
    mean = float(mean_of_sums(sums.sum(axis=0)[None])[0, 0])
    num_images = int((sums[:, 1] > 0).sum())
    low = high = np.nan
    if num_images > 1:
        low, high = interval(resampled(sums, mean_of_sums, num_resamples)[:, 0])
    return MeanScore(mean, float(low), float(high), num_images)


def described_means(means: Means, num_resamples: int = RESAMPLES) -> dict[str, Any]:
    """Means for `scores.json`; what is not known is null."""
    return {
        "level": LEVEL,
        "resamples": num_resamples,
        "methods": {
            method: {
                name: {
                    "mean": _known(one.value),
                    "interval": None if np.isnan(one.low) else [one.low, one.high],
                    "images": one.num_images,
                }
                for name, one in figures.items()
            }
            for method, figures in means.items()
        },
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
