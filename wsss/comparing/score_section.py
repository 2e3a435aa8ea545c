"""Scores with intervals and their differences, from numbers to what a template draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.score_differences import (
    ECE,
    EVALUATE,
    ComparedScore,
    GroupDifference,
    ScoreComparison,
)
from wsss.comparing.sections import color
from wsss.metrics.bootstrap import Difference
from wsss.report.charts import Chart, lines_chart
from wsss.report.read_scores import SEGMENTER, Curve, read_calibration
from wsss.report.section import Section
from wsss.wording import plural

MOST_PAIRS = 12
"""Differences shown at once; of more those to the first group, and the rest folded."""
PERFECT = "perfectly calibrated"


@dataclass(frozen=True, slots=True)
class Span:
    """An interval on an axis that is symmetric about zero, in percent of its width."""

    left: float
    width: float
    value: float


Drawn = tuple[GroupDifference, Span | None]


def scores_section(scores: ScoreComparison) -> Section | None:
    """Scores of all groups, with intervals, and their differences; None where nothing was scored.

    Args:
        scores: of the runs.
    """
    if not scores.scores and not scores.without_counts:
        return None
    runs = [run for group in scores.groups for run in group.runs]
    has_ece = any(one.measure == ECE for one in scores.scores)
    return Section(
        name="compared_scores",
        title="Scores, and whether they differ",
        lead="In percent, with 95 % intervals: how far a score would move with other images of the "
        "same kind, and with other seeds where runs differ by the seed alone.",
        data={
            "scores": [(one, *_shown(_drawn(one))) for one in scores.scores],
            "num_resamples": scores.num_resamples,
            "num_differences": sum(len(one.differences) for one in scores.scores),
            "has_seeds": scores.has_seeds,
            "without_counts": scores.without_counts,
            "reliability": reliability_chart(runs) if has_ece else None,
        },
        oracle=True,
    )


def _shown(differences: Sequence[Drawn]) -> tuple[Sequence[Drawn], Sequence[Drawn]]:
    """Those at once, and those folded."""
    if len(differences) <= MOST_PAIRS:
        return differences, ()
    first = differences[0][0].first
    of_first = [one for one in differences if one[0].first is first]
    return of_first, [one for one in differences if one[0].first is not first]


def _drawn(score: ComparedScore) -> list[Drawn]:
    """Each difference, and where it is drawn; None where it has no number."""
    found = [one.difference for one in score.differences]
    ends = [abs(end) for one in found if one for end in (one.low, one.high, one.value)]
    half = 1.08 * max((end for end in ends if isfinite(end)), default=0.0) or 1.0
    return [(one, _span(one.difference, half)) for one in score.differences]


def _span(difference: Difference | None, half: float) -> Span | None:
    """Where a difference lies on an axis from -half to half."""
    if difference is None or not isfinite(difference.low):
        return None
    low, high, value = (
        round(50 + 50 * end / half, 2)
        for end in (difference.low, difference.high, difference.value)
    )
    return Span(low, round(high - low, 2), value)


def reliability_chart(runs: Sequence[ComparedRun]) -> Chart | None:
    """Accuracy over confidence of every segmenter at a single scale, beside the diagonal."""
    diagonal: Curve = ((0.0, 0.0), (1.0, 1.0))
    lines = [(PERFECT, "var(--muted)", diagonal)]
    for position, run in enumerate(run for run in runs if EVALUATE in run.folders):
        if points := read_calibration(run.folders[EVALUATE]).get(SEGMENTER):
            lines.append((run.label, color(position), points))
    if len(lines) == 1:
        return None
    return lines_chart(
        lines,
        title="Accuracy",
        summary=plural(len(lines) - 1, "run"),
        x_label="mean confidence of a bin",
    )
