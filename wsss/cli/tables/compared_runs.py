"""The closing table of a sweep, and of `wsss compare`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.comparing.compared_run import FINISHED, ComparedRun
from wsss.comparing.differences import compared_numbers, differing_settings
from wsss.comparing.score_differences import MIOU, ScoreComparison
from wsss.report.bound import BOUNDS
from wsss.report.formatting import number, percent, signed_percent
from wsss.stage_tools.scoring import SUBJECT_LABELS
from wsss.wording import plural

MOST_NUMBERS = 6
"""Numbers of stages in the terminal; the page has all."""
MOST_DIFFERENCES = 12
"""Differences in the terminal; the page has all."""


def outcome(
    runs: Sequence[ComparedRun],
    page: Path,
    remark: str | None = None,
    scores: ScoreComparison | None = None,
) -> Group:
    """A row for each run: settings that differ, numbers, scores; differences; failures; the page.

    Args:
        runs: of a sweep.
        page: path of the comparison.
        remark: a line about all of them.
        scores: of the runs, with intervals.
    """
    parts: list[RenderableType] = [WholeWords(run_table(runs))]
    if scores is not None:
        if any(one.differences for one in scores.scores):
            parts.append(WholeWords(difference_table(scores)))
        if old := scores.without_counts:
            text = f"No intervals of {', '.join(old)}: scored by an earlier version. Run again."
            parts.append(WholeLines(Text(text, "yellow")))
    for run in runs:
        if run.status != FINISHED:
            reason = run.problem or "it was ended, or goes on"
            parts.append(WholeLines(Text(f"{run.name} {run.status}: {reason}", "yellow")))
    if remark:
        parts.append(WholeLines(Text(remark)))
    parts.append(WholeLines(Text(f"Comparison: {page}", overflow="fold")))
    return Group(*parts)


def run_table(runs: Sequence[ComparedRun]) -> Table:
    """One row a run; scores that took ground truth are marked."""
    table = Table(title="Runs", title_justify="left", caption_justify="left")
    table.add_column("run")
    settings = differing_settings(runs)
    for name in settings:
        table.add_column(Text(name))
    numbers = compared_numbers(runs, with_masks=False)
    shown = dict([*numbers.items()][:MOST_NUMBERS])
    for name in shown:
        table.add_column(Text(name.replace("_", " ")), justify="right")
    scored = compared_numbers(runs, with_masks=True)
    # Of a bound, which all methods share, there is what they reach of it.
    scores = {key: one for key, one in scored.items() if key.partition("/")[0] not in BOUNDS}
    for name in scores:
        heading = f"{name.partition('/')[2].replace('_', ' ')}, %"
        table.add_column(Text.assemble(heading, (" (oracle)", "yellow")), justify="right")
    for position, run in enumerate(runs):
        table.add_row(
            run.label if run.status == FINISHED else Text(f"{run.label} {run.status}", "yellow"),
            *(Text(values[position]) for values in settings.values()),
            *(number(values[position]) for values in shown.values()),
            *(percent(values[position]) for values in scores.values()),
        )
    if more := len(numbers) - len(shown) + len(scored) - len(scores):
        table.caption = f"and {plural(more, 'more number')} on the page"
    return table


def difference_table(scores: ScoreComparison) -> Table:
    """Each difference of mIoU with its interval, in percent; of many the first ones.

    Args:
        scores: of the runs.
    """
    of_miou = [one for one in scores.scores if one.measure == MIOU]
    found = [(one.subject, difference) for one in of_miou for difference in one.differences]
    table = Table(title="Differences of mIoU", title_justify="left", caption_justify="left")
    table.add_column(Text.assemble("mIoU of ", ("(oracle)", "yellow")))
    table.add_column("second run")
    table.add_column("minus first run")
    table.add_column("difference, %", justify="right")
    table.add_column("95 % interval", justify="right")
    for heading in ("other side of 0, %", "images"):
        table.add_column(heading, justify="right")
    for subject, one in found[:MOST_DIFFERENCES]:
        names = (SUBJECT_LABELS[subject], one.second.label, one.first.label)
        if (known := one.difference) is None:
            cells = ["–", one.problem, "–"]
        else:
            interval = f"{signed_percent(known.low)}…{signed_percent(known.high)}"
            cells = [signed_percent(known.value), interval, percent(known.other_side)]
        table.add_row(*(Text(cell) for cell in (*names, *cells, f"{one.num_images:,}")))
    more = sum(len(one.differences) for one in scores.scores) - len(found[:MOST_DIFFERENCES])
    kind = "resamples of images" + " and seeds" * scores.has_seeds
    table.caption = f"{scores.num_resamples:,} {kind}"
    if more:
        table.caption += f"; {plural(more, 'more difference')} on the page"
    return table
