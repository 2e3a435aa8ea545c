"""The closing table of `wsss explain`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.errors import Problem
from wsss.explain.mean_scores import FIGURES, Means, MeanScore
from wsss.wording import plural


def outcome(
    folder: Path,
    top: Mapping[Path, tuple[str, float]],
    sheets: Mapping[Path, Path],
    problems: Sequence[Problem],
    means: Means | None = None,
) -> Group:
    """One row an image, mean scores, the reasons for skipping, and the folder of the results.

    To be printed with `crop=False`.

    Args:
        folder: of the results.
        top: most probable class of each image, with its probability.
        sheets: sheet of each image that has one.
        problems: reasons for skipping.
        means: scores of methods and baselines, where they were measured.
    """
    table = Table("image", "most probable class", title="Explained", title_justify="left")
    table.add_column("probability", justify="right")
    for image, (name, probability) in top.items():
        if image in sheets:
            table.add_row(Text(str(image)), Text(name), f"{probability:.3f}")
    parts: list[RenderableType] = [WholeWords(table)]
    if means:
        parts.append(WholeWords(score_table(means)))
    parts += [WholeLines(Text(f"left out: {problem}", "yellow")) for problem in problems]
    parts.append(WholeLines(Text(f"Sheets and overlays: {folder}", overflow="fold")))
    return Group(*parts)


BASELINE_NAMES = {"random_map": "random map", "centred_gaussian": "centred Gaussian"}
BETTER = {
    **dict.fromkeys(("drop", "complexity", "deletion"), "↓"),
    **dict.fromkeys(("increase", "drop_in_deletion", "coherency", "adcc", "insertion"), "↑"),
}
"""Whether a lower or a higher figure is better."""


def score_table(means: Means) -> Table:
    """Mean figures of each method and of the baselines, in percent, with intervals over images.

    Args:
        means: by method; baselines come last.
    """
    table = Table(title="Scores, in percent", title_justify="left", caption_justify="left")
    table.add_column("method")
    measured = [name for name in FIGURES if any(name in figures for figures in means.values())]
    for name in measured:
        table.add_column(f"{name.replace('_', ' ')} {BETTER[name]}", justify="right")
    for method, figures in means.items():
        baseline = BASELINE_NAMES.get(method)
        cells = [_mean_cell(figures.get(name)) for name in measured]
        table.add_row(Text(baseline or method, "" if baseline is None else "italic"), *cells)
    num_images = max(one.num_images for figures in means.values() for one in figures.values())
    table.caption = (
        f"means over {plural(num_images, 'image')}, with 95 % intervals; a method that does not "
        "beat the last two rows explains nothing"
        if num_images > 1
        else "of one image: intervals need several. A method that does not beat the last two rows "
        "explains nothing"
    )
    return table


def _mean_cell(score: MeanScore | None) -> str:
    """Such as `12.3 (10.1–14.6)`."""
    if score is None or math.isnan(score.value):
        return "–"
    ends = "" if math.isnan(score.low) else f" ({100 * score.low:.1f}–{100 * score.high:.1f})"
    return f"{100 * score.value:.1f}{ends}"
