"""What curves of similarity say about a method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from wsss.explain.sanity.check_image import Similarity
from wsss.metrics.bootstrap import mean_intervals

SAME = 0.9
"""Mean rank correlation and structural similarity from which maps count as the same."""
MUCH = 0.5
"""Mean rank correlation from which much of a map's order is still there."""
FIGURES = ("rank_correlation", "structural_similarity")

UNCHANGED = "does not change when all weights do: it does not show the network"
CLASSLESS = "does not change when the head does: it does not show the class"
SURVIVES = "keeps a rank correlation of 0.5 or more when no weight is left"
CHANGES = "changes with the weights"
CHANCE = "is another one when nothing changes: it is drawn by chance"


@dataclass(frozen=True, slots=True)
class Curve:
    """Similarity of a method's maps to those of the trained network, step by step."""

    means: Mapping[str, tuple[float, ...]]
    """Of each figure, over the images; an image's is the mean over its classes."""
    intervals: Mapping[str, tuple[tuple[float, float] | None, ...]]
    """95 % bootstrap over the images; None of a single one."""
    images: int

    @property
    def verdict(self) -> str:
        """What the curve of a cascade says: step 0 draws nothing, 1 the head, the last all weights.

        A rule of ours, since Adebayo et al. give none: both figures from 0.9 are *the same map*,
        rank correlation from 0.5 is *much of it*.
        """
        ranks, structures = (self.means[name] for name in FIGURES)
        if min(ranks[0], structures[0]) < SAME:
            return CHANCE
        if min(ranks[-1], structures[-1]) >= SAME:
            return UNCHANGED
        if min(ranks[1], structures[1]) >= SAME:
            return CLASSLESS
        return SURVIVES if ranks[-1] >= MUCH else CHANGES

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {"images": self.images} | {
            name: [
                {"mean": mean, "interval_95": None if interval is None else [*interval]}
                for mean, interval in zip(self.means[name], self.intervals[name], strict=True)
            ]
            for name in FIGURES
        }


def curve_of(images: Sequence[Sequence[Sequence[Similarity]]], seed: int = 0) -> Curve:
    """The curve of a method.

    Args:
        images: of each image, of each step, the similarity of each class; at least one.
        seed: of the bootstrap.
    """
    means, intervals = {}, {}
    for name in FIGURES:
        values = np.array(
            [[np.mean([getattr(c, name) for c in step]) for step in one] for one in images]
        )
        means[name] = tuple(float(one) for one in values.mean(axis=0))
        intervals[name] = _intervals(values, seed)
    return Curve(means, intervals, len(images))


def _intervals(
    values: Float[np.ndarray, "n k"], seed: int
) -> tuple[tuple[float, float] | None, ...]:
    """95 % bootstrap interval of the mean of each column; None of a single image."""
    if len(values) < 2:
        return tuple(None for _ in values.T)
    _, (low, high) = mean_intervals(values, seed=seed)
    return tuple((float(one), float(other)) for one, other in zip(low, high, strict=True))
