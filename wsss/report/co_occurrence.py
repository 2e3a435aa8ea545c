"""Classes that are tagged together: what always comes together, no tag can tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

MIN_TOGETHER = 2
"""Pairs on fewer images are chance."""


@dataclass(frozen=True, slots=True)
class TagPair:
    """Two classes; all shares are in [0, 1]."""

    first: int
    """Mask value of the class that is rarely without the other."""
    second: int
    together: int
    """Images tagged with both."""
    of_first: float
    """Share of the images of the first that are tagged with the second."""
    of_second: float
    """Share of the images of the second that are tagged with the first."""
    by_chance: float
    """Share of all images that are tagged with the second."""


def tag_pairs(tags: Bool[np.ndarray, "n c"]) -> tuple[TagPair, ...]:
    """Pairs of classes that come together more often than by chance.

    Sorted by the share of the images of one class that show the other, largest first.

    Args:
        tags: multi-hot, one row an image.
    """
    counts = tags.sum(axis=0)
    together = tags.astype(np.int64).T @ tags.astype(np.int64)
    found: list[TagPair] = []
    for one, other in zip(*np.nonzero(np.triu(together >= MIN_TOGETHER, k=1)), strict=True):
        first, second = sorted((int(one), int(other)), key=lambda at: (counts[at], at))
        both = int(together[first, second])
        of_first, by_chance = both / counts[first], counts[second] / len(tags)
        if of_first > by_chance:
            found.append(
                TagPair(
                    first + 1, second + 1, both, float(of_first), float(both / counts[second]),
                    float(by_chance),
                )
            )  # fmt: skip
    return tuple(sorted(found, key=lambda pair: (-pair.of_first, -pair.together, pair.first)))


def images_per_class(tags: Bool[np.ndarray, "n c"]) -> Sequence[int]:
    """The number of images tagged with each class."""
    return tuple(int(count) for count in tags.sum(axis=0))
