"""The data check's report for the terminal: tables and paragraphs."""

from collections.abc import Iterator

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.data.data_report import DataReport
from wsss.data.source import SPLITS, TRAIN
from wsss.errors import Problem, Severity
from wsss.wording import plural

BAR_WIDTH = 24
"""Characters of the bar of the most frequent class."""

TOP_PAIRS = 10
"""Pairs of classes shown."""

_STYLES = {Severity.ERROR: "bold red", Severity.SKIPPED: "yellow", Severity.WARNING: "cyan"}


def render(report: DataReport) -> Group:
    """Everything a report says, the verdict last; to be printed with `crop=False`."""
    tables = [split_table(report), class_table(report)]
    if report.pair_counts:
        tables.append(pair_table(report))
    if report.sizes:
        tables.append(size_table(report))
    blocks: list[RenderableType] = []
    if report.described:
        blocks.append(WholeLines(Text(report.described)))
    blocks += map(WholeWords, tables)
    blocks += [WholeLines(problem_paragraph(problem)) for problem in _problems(report)]
    blocks.append(WholeLines(verdict(report)))
    return Group(*(part for block in blocks for part in (block, Text())))


def split_table(report: DataReport) -> Table:
    """One row a split: images, those that can be used, masks."""
    table = _table(report.name, "split")
    for heading in ("images", "usable", "masks"):
        table.add_column(heading, justify="right")
    for split in SPLITS:
        total, unusable = report.num_images[split], len(report.unusable_ids[split])
        usable = Text(f"{total - unusable:,}", "yellow" if unusable else "")
        table.add_row(split, f"{total:,}", usable, f"{report.num_masks[split]:,}")
    table.caption = "masks serve the evaluation only"
    return table


def class_table(report: DataReport) -> Table:
    """One row a class: its images in each split, with bars for train."""
    table = _table(plural(len(report.class_names), "class", "classes"), "label", "class")
    for split in SPLITS:
        table.add_column(split, justify="right")
    table.add_column(f"images in {TRAIN}")
    most = max(report.class_counts[TRAIN], default=0)
    for label, name in enumerate(report.class_names, 1):
        counts = {split: report.class_counts[split][label - 1] for split in SPLITS}
        table.add_row(
            str(label),
            Text(name),
            *(Text(f"{count:,}", "" if count else "red") for count in counts.values()),
            Bar(max(1, most), 0, counts[TRAIN], width=BAR_WIDTH, color="green"),
        )
    return table


def pair_table(report: DataReport) -> Table:
    """The pairs of classes that co-occur most, hard to separate by weak supervision."""
    table = _table("classes seen together", "classes")
    table.add_column(f"images in {TRAIN}", justify="right")
    table.add_column("share of the rarer class", justify="right")
    counts = report.class_counts[TRAIN]
    for first, second, together in report.pair_counts[:TOP_PAIRS]:
        rarer = min(counts[first - 1], counts[second - 1])
        names = f"{report.class_names[first - 1]} + {report.class_names[second - 1]}"
        table.add_row(Text(names), f"{together:,}", f"{together / rarer:.0%}")
    hidden = len(report.pair_counts) - TOP_PAIRS
    table.caption = f"and {plural(hidden, 'pair')} more" if hidden > 0 else None
    return table


def size_table(report: DataReport) -> Table:
    """Range of the images' heights and widths."""
    table = _table("image sizes in px", "")
    for heading in ("smallest", "median", "largest"):
        table.add_column(heading, justify="right")
    for name, sides in report.side_ranges.items():
        table.add_row(name, *(f"{side:,}" for side in sides))
    table.caption = plural(len({*map(tuple, report.sizes.sides.tolist())}), "distinct size")
    return table


def problem_paragraph(problem: Problem) -> Text:
    """What is wrong, what was expected, what to do: one paragraph."""
    return Text.assemble(
        (f"{problem.severity} ", _STYLES[problem.severity]),
        (problem.where, "bold"),
        f": {problem.came}. Expected {problem.expected}. ",
        (problem.remedy, "green"),
    )


def verdict(report: DataReport) -> Text:
    """Whether a run can start."""
    if report.failed:
        errors = [p for p in report.blocking if p.severity == Severity.ERROR]
        count = plural(len(errors), "problem")
        return Text(f"✗ {report.name} would break a run: {count} to mend.", "bold red")
    left_out = len(report.unusable)
    note = f" {plural(left_out, 'image is', 'images are')} left out." if left_out else ""
    return Text(f"✓ {report.name} is ready.{note}", "bold green")


def _problems(report: DataReport) -> Iterator[Problem]:
    """All problems, those that break a run first."""
    yield from report.blocking
    yield from (problem for problem in report.problems if problem not in report.blocking)


def _table(title: str, *headings: str) -> Table:
    table = Table(*headings, title=Text(title), title_justify="left", caption_justify="left")
    table.title_style = "bold"
    return table
