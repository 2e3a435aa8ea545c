"""The closing table of `wsss explain --sanity`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.explain.sanity.sanity_request import CURVES, SANITY, CheckedMethods
from wsss.explain.sanity.verdicts import FIGURES, Curve


def checked(found: CheckedMethods) -> Group:
    """A row a method: how alike its maps are to those of the trained network, and the verdict."""
    title = "Similarity to the trained network's map: rank correlation / structural similarity"
    table = Table("method", title=title, title_justify="left")
    for column in ("head anew", "all weights anew", *found.heads):
        table.add_column(column, justify="right")
    table.add_column("the map …")
    for name, curve in found.curves.items():
        cells = [_cell(curve, 1), _cell(curve, -1)]
        cells += [_cell(of_head[name], 0) for of_head in found.heads.values()]
        table.add_row(Text(name), *cells, curve.verdict)
    parts: list[RenderableType] = [WholeWords(table)]
    parts += [WholeLines(Text(f"left out: {problem}", "yellow")) for problem in found.problems]
    where = f"{CURVES}, {SANITY} and sheets of maps: {found.folder}"
    parts.append(WholeLines(Text(where, overflow="fold")))
    return Group(*parts)


def _cell(curve: Curve, step: int) -> str:
    return " / ".join(f"{curve.means[figure][step]:.2f}" for figure in FIGURES)
