"""The closing table of `wsss explain --summary`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.artifacts.manifest import MARK
from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords

MOST = 5
"""Groups and confusions of a network that the terminal shows."""


def summary_table(content: Mapping[str, Any], page: Path, cached: bool) -> Group:
    """One row for each network, its most frequent confusions, and the page.

    To be printed with `crop=False`.

    Args:
        content: of `summary.json`.
        page: path of the page.
        cached: whether the summary was there before.
    """
    title = Text("Summary", "bold")
    title += Text(" (oracle)" * content["oracle"] + MARK * content["saw_masks"], "yellow")
    table = Table("network", title=title, title_justify="left")
    for heading in ("images", "with a failure", "failures", "groups"):
        table.add_column(heading, justify="right")
    table.add_column("taken for what, most often")
    for name, found in content["networks"].items():
        counts = ("pixels" if content["oracle"] else "count",)
        often = [f"{one['cell']} ({one[counts[0]]:,})" for one in found["confusion"][:MOST]]
        numbers = (found["images"], found["images_with_failures"], found["failures"])
        table.add_row(
            name, *(f"{one:,}" for one in (*numbers, len(found["groups"]))), Text("\n".join(often))
        )
    parts: list[RenderableType] = [WholeWords(table)]
    parts += [
        WholeLines(Text(f"left out: {reason}", "yellow")) for reason in content["left_out"].values()
    ]
    note = " (cached)" * cached
    parts.append(WholeLines(Text(f"Page: {page}{note}", overflow="fold")))
    return Group(*parts)
