"""Tags as a table of cells, whatever kind of file it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsss.data.sources.text_files import cleaned
from wsss.errors import Problem

Cell = str | Sequence[object]
"""Text, cleaned; or a list, in JSON."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells in rows and columns."""

    header: Sequence[str] | None
    """Names of the columns; None where there is no header."""
    rows: Sequence[Sequence[Cell]]
    """All of the same length, that of the header if there is one."""
    places: Sequence[str]
    """Where each row is: `line 4`."""
    kind: str = ""
    """What cells are in, where that is not a comma-separated file: `tabs between columns`."""
    problems: Sequence[Problem] = ()

    @property
    def num_columns(self) -> int:
        """Columns of the table."""
        return len(self.rows[0] if self.header is None else self.header)

    def column(self, number: int) -> list[Cell]:
        """The cells of a column, from 0."""
        return [row[number] for row in self.rows]

    def name(self, number: int) -> str:
        """Name of a column for messages."""
        if self.header is not None and self.header[number]:
            return self.header[number]
        return f"no. {number + 1}"


def text_of(value: object) -> str:
    """A value of JSON as a cell of text: numbers and words as JSON writes them, null as blank."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return cleaned(str(value))
