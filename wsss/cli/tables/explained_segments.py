"""The closing table of `wsss explain segmenter=…`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.explain.segments.segments_request import ExplainedImages


def explained_segments(found: ExplainedImages) -> Group:
    """One row an image and class, the reasons for skipping, and the folder; to be uncropped."""
    table = Table("image", "class", title=f"Explained{found.mark}", title_justify="left")
    for column in ("region", "probability", "evidence inside"):
        table.add_column(column, justify="right")
    for image in found.images:
        for one in image["segments"]:
            inside = one["evidence_inside"]
            table.add_row(
                Text(image["image"]),
                Text(one["class"]),
                f"{one['region_share']:.1%}",
                f"{one['probability']:.3f}",
                "–" if inside is None else f"{inside:.0%}",
            )
    parts: list[RenderableType] = [WholeWords(table)]
    parts += [WholeLines(Text(f"left out: {problem}", "yellow")) for problem in found.problems]
    parts.append(WholeLines(Text(f"Sheets and tables: {found.folder}", overflow="fold")))
    return Group(*parts)
