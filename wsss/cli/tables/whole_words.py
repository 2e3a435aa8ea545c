"""Tables of any width that cut no word and no number."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

UNBOUNDED = 10_000
"""Characters of a terminal that no table fills."""


class WholeWords:
    """A table that folds between words where it is narrow, and stacks cells where it is narrower.

    Rich shrinks the widest columns, and cuts words that no longer fit. Here each column is at least
    as wide as its longest word. Where that is more than the terminal has, every row becomes a
    paragraph: its first cell, then a line for each of the others, behind their headings.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or its paragraphs."""
        unbounded = options.update(width=UNBOUNDED)
        sides = [_cell_widths(console, unbounded, column) for column in self._table.columns]
        needed = Measurement.get(console, unbounded, self._table).minimum
        spare = options.max_width - needed
        if spare < 0:
            yield from _stacked(console, self._table)
            return
        columns = []
        for column, (least, most) in zip(self._table.columns, sides, strict=True):
            more = min(spare, most - least)
            spare -= more
            columns.append(replace(column, width=least + more))
        fitting = copy(self._table)
        fitting.columns = columns
        yield fitting


def _cell_widths(console: Console, options: ConsoleOptions, column: Column) -> tuple[int, int]:
    """Characters of a column's longest word, and of its longest cell."""
    cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    return max(one.minimum for one in cells), max(one.maximum for one in cells)


def _stacked(console: Console, table: Table) -> Iterator[RenderableType]:
    """A paragraph a row; bars are left out, whose numbers stand beside them."""
    if table.title:
        yield Text(_text(console, table.title).plain, "bold")
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        yield _text(console, first)
        for column, cell in zip(table.columns[1:], others, strict=True):
            if isinstance(cell, str | Text) and (value := _text(console, cell)):
                heading = _text(console, column.header)
                yield Text.assemble("  ", heading, ": " if heading else "", value)
    if table.caption:
        yield _text(console, table.caption)


def _text(console: Console, cell: RenderableType) -> Text:
    """A cell as text, with its markup read."""
    return cell if isinstance(cell, Text) else console.render_str(str(cell))
