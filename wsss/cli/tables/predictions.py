"""The closing table of `wsss predict`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.predict.predict_request import Predicted


def outcome(found: Predicted) -> Group:
    """A row for each class, the reasons for leaving images out, and where the results are."""
    title = f"Classes in {found.num_images:,} images" if found.num_images > 1 else "Classes"
    title += found.mark
    table = Table("class", title=title, title_justify="left")
    table.add_column("images", justify="right")
    table.add_column("share of area", justify="right")
    for one in found.totals:
        table.add_row(Text(one.name), f"{one.images:,}", f"{one.share:.1%}")
    parts: list[RenderableType] = [table]
    parts += [Text(f"left out: {problem}", "yellow") for problem in found.problems]
    parts += [Text(f"{kind}: {path}", overflow="fold") for kind, path in found.files.items()]
    parts += [Text(f"  {note}", overflow="fold") for note in found.notes]
    parts.append(Text(f"Masks and overlays: {found.folder}", overflow="fold"))
    return Group(*parts)
