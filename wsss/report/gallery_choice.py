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
    return {SAMPLE: [ids[position] for position in even_places(len(ids), count)]}


def even_places(length: int, count: int) -> list[int]:
    """`count` positions in a list of `length`, or all of them, at even distances."""
    shown = min(count, length)
    return [position * length // shown for position in range(shown)]


def page_sample(doubts: Sequence[float | None], most: int) -> list[int]:
    """Positions of the images that a page has room for, ascending.

    All where there is room. Otherwise half of the room is for the most doubtful, and the rest for
    the others at even distances, so that the page shows what goes wrong and what is usual.

    Args:
        doubts: of all images, in their order; those without one are not doubtful.
        most: images on the page.

    Example:
        >>> page_sample([0.1, 0.9, None, 0.2, 0.3, 0.8], most=4)
        [0, 1, 3, 5]
    """
    if len(doubts) <= most:
        return [*range(len(doubts))]
    ranked = sorted(range(len(doubts)), key=lambda at: (-(doubts[at] or 0.0), at))
    doubtful = {*ranked[: most // 2]}
    others = [at for at in range(len(doubts)) if at not in doubtful]
    even = even_places(len(others), most - len(doubtful))
    return sorted(doubtful | {others[at] for at in even})
