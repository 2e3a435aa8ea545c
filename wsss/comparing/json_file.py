"""The comparison of runs as JSON, for other programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.score_differences import ComparedScore, GroupDifference, ScoreComparison
from wsss.metrics.bootstrap import LEVEL


def as_json(runs: Sequence[ComparedRun], scores: ScoreComparison | None) -> dict[str, Any]:
    """Runs with their numbers, and scores with intervals and differences, stamped `oracle`.

    Args:
        runs: all of them.
        scores: of the runs; None, or none, where nothing was scored.
    """
    return {
        "runs": [
            {
                "name": run.name,
                "saw_masks": bool(run.mark),
                "status": run.status,
                "numbers": run.numbers(with_masks=False),
                "oracle_numbers": run.numbers(with_masks=True),
            }
            for run in runs
        ]
    } | ({"scores": _scores(scores)} if scores is not None and scores.scores else {})


def _scores(scores: ScoreComparison) -> dict[str, Any]:
    """Groups by their position, and scores that name these."""
    groups = [
        {"runs": [run.name for run in one.runs], "seeds": one.seeds, "settings": one.settings}
        for one in scores.groups
    ]
    place = {one.name: position for position, one in enumerate(scores.groups)}
    return {
        "oracle": True,
        "resamples": scores.num_resamples,
        "level": LEVEL,
        "groups": groups,
        "measured": [_measured(one, place) for one in scores.scores],
        "without_image_counts": list(scores.without_counts),
    }


def _measured(score: ComparedScore, place: dict[str, int]) -> dict[str, Any]:
    return {
        "subject": score.subject,
        "measure": score.measure,
        "scores": [
            {
                "group": place[one.group.name],
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "images": one.num_images,
            }
            for one in score.scores
            if one.num_images
        ],
        "differences": [_difference(one, place) for one in score.differences],
    }


def _difference(one: GroupDifference, place: dict[str, int]) -> dict[str, Any]:
    """Second minus first; without numbers, but with a reason, where they cannot be compared."""
    numbers = {"problem": one.problem} if one.difference is None else asdict(one.difference)
    return {
        "first": place[one.first.name],
        "second": place[one.second.name],
        "images": one.num_images,
        "paired_seeds": one.paired_seeds,
        **numbers,
    }
