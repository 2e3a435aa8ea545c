"""The closing table of `wsss explain --compare`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.explain.comparison.compare_request import OVERVIEW, ComparedImages

ROWS = 10
"""Images of the table."""


def compared(found: ComparedImages) -> Group:
    """One row an image, with the class that is seen most differently; to be printed uncropped."""
    first, second = found.names
    title = f"What {first} and {second} see differently"
    table = Table("image", "class", title=title, title_justify="left")
    for column in (f"p, {first}", f"p, {second}", "moved", "rank corr.", "IoU at ½"):
        table.add_column(column, justify="right")
    for image in found.images[:ROWS]:
        one = image["classes"][0]
        table.add_row(
            Text(image["image"]),
            Text(one["class"]),
            *(f"{value:.3f}" for value in one["probabilities"]),
            f"{one['moved_share']:.0%}",
            *(
                "–" if one[n] is None else f"{one[n]:.2f}"
                for n in ("rank_correlation", "iou_at_half")
            ),
        )
    parts: list[RenderableType] = [WholeWords(table)]
    if len(found.images) > ROWS:
        parts.append(Text(f"… and {len(found.images) - ROWS} more, less different images"))
    parts += [WholeLines(Text(f"left out: {problem}", "yellow")) for problem in found.problems]
    where = f"Sheets, tables and {OVERVIEW}: {found.folder}"
    parts.append(WholeLines(Text(where, overflow="fold")))
    return Group(*parts)
