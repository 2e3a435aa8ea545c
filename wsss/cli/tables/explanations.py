"""The closing table of `wsss explain`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.errors import Problem


def outcome(
    folder: Path,
    top: Mapping[Path, tuple[str, float]],
    sheets: Mapping[Path, Path],
    problems: Sequence[Problem],
) -> Group:
    """One row an image, the reasons for skipping, and the folder of the results.

    To be printed with `crop=False`.

    Args:
        folder: of the results.
        top: most probable class of each image, with its probability.
        sheets: sheet of each image that has one.
        problems: reasons for skipping.
    """
    table = Table("image", "most probable class", title="Explained", title_justify="left")
    table.add_column("probability", justify="right")
    for image, (name, probability) in top.items():
        if image in sheets:
            table.add_row(Text(str(image)), Text(name), f"{probability:.3f}")
    parts: list[RenderableType] = [WholeWords(table)]
    parts += [WholeLines(Text(f"left out: {problem}", "yellow")) for problem in problems]
    parts.append(WholeLines(Text(f"Sheets and overlays: {folder}", overflow="fold")))
    return Group(*parts)
