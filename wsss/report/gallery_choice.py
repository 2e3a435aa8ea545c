"""Choice of the images in a report's gallery."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

BEST, MEDIAN, WORST, SAMPLE = "best", "median", "worst", "sample"
"""Names of the groups of a gallery."""


def choose_gallery(scores: Mapping[str, float], per_group: int) -> dict[str, list[str]]:
    """The ids with the best, median and worst scores, each id in one group at most.

    Fewer than `3 · per_group` ids are divided evenly. The choice is independent of the order of
    `scores`; ties are broken by id.

    Args:
        scores: score of each image by its id, higher is better; NaN is left out.
        per_group: ids in each group.

    Returns:
        `best` (best first), `median` (descending) and `worst` (worst first).

    Example:
        >>> choose_gallery({"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.6, "e": 0.2}, per_group=1)
        {'best': ['b'], 'median': ['c'], 'worst': ['a']}
    """
    scored = [item_id for item_id, score in scores.items() if not math.isnan(score)]
    ranking = sorted(scored, key=lambda item_id: (-scores[item_id], item_id))
    total = len(ranking)
    num_best, num_worst, num_median = (min(per_group, (total + more) // 3) for more in (2, 1, 0))
    middle = ranking[num_best : total - num_worst]
    start = (len(middle) - num_median) // 2
    return {
        BEST: ranking[:num_best],
        MEDIAN: middle[start : start + num_median],
        WORST: ranking[total - num_worst :][::-1],
    }


def sample_gallery(ids: Sequence[T], count: int) -> dict[str, list[T]]:
    """`count` ids or items, evenly spaced over all of them, for images that have no score.

    Example:
        >>> sample_gallery(["a", "b", "c", "d", "e"], 3)
        {'sample': ['a', 'b', 'd']}
    """
    shown = min(count, len(ids))
    return {SAMPLE: [ids[position * len(ids) // shown] for position in range(shown)]}
