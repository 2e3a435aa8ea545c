"""What `wsss explain` says in the terminal: the table of all methods, and what came of a call."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cam.method import CamMethod
from wsss.errors import Problem

MARK = "reconstruction"


def method_table(methods: Mapping[str, CamMethod]) -> Table:
    """One row a method: its name, its paper, what it needs of a model, what is a reconstruction.

    Args:
        methods: with their configured options, by the names that `--method` takes.
    """
    table = Table("method", "paper", "needs", title="Methods", title_justify="left")
    table.show_lines = True
    for name, method in methods.items():
        needs = ", ".join(sorted(need.value for need in method.needs)) or "any classifier"
        paper = Text(method.provenance.paper)
        if method.provenance.reconstructed:
            paper.append(f"\n{MARK}: {method.provenance.reconstructed}", "yellow")
        table.add_row(Text(name, "bold"), paper, needs)
    table.caption = f"A {MARK} is made from the published abstract: no figure of its paper holds."
    table.caption_justify = "left"
    return table


def outcome(
    folder: Path,
    top: Mapping[Path, tuple[str, float]],
    sheets: Mapping[Path, Path],
    problems: Sequence[Problem],
) -> Group:
    """One row an image, what was left out, and where everything is.

    Args:
        folder: of the results.
        top: most probable class of each image, with its probability.
        sheets: sheet of each image that has one.
        problems: what was left out, and why.
    """
    table = Table("image", "most probable class", title="Explained", title_justify="left")
    table.add_column("probability", justify="right")
    for image, (name, probability) in top.items():
        if image in sheets:
            table.add_row(Text(str(image)), Text(name), f"{probability:.3f}")
    parts: list[RenderableType] = [table]
    parts += [Text(f"left out: {problem}", "yellow") for problem in problems]
    parts.append(Text(f"Sheets and overlays: {folder}", overflow="fold"))
    return Group(*parts)
