"""The labels in a table's cells: text with a separator, or lists of JSON or Python."""

from collections.abc import Iterable, Sequence
from functools import cache

from wsss.data.sources.folder.tags.grid import Cell, Grid
from wsss.data.sources.folder.tags.list_cells import (
    all_lists,
    evaluated,
    labels_of_list,
    parsed,
    refuse_marks,
    refuse_some_lists,
)
from wsss.data.sources.folder.tags.separators import (
    LIST,
    WHOLE,
    WORDS,
    UnclearError,
    find_separator,
    joint_cells,
    separator_of,
    split,
)
from wsss.data.sources.folder.tags.tag_table import SEPARATOR, Request, TagRow
from wsss.errors import InvalidOptionError, Problem, Severity
from wsss.wording import name_some, plural

_SHOWN = {" ": "white space", "\t": "tabs", "\n": "line ends", " and ": "the word `and`"}
_WORD_OF = {sign: word for word, sign in WORDS.items()}
Labels = tuple[str, ...]


def cell_rows(
    grid: Grid, image: int, columns: Sequence[int], request: Request
) -> tuple[list[TagRow], str, list[Problem]]:
    """The rows of a table whose cells name classes, how they were read, and problems.

    Raises:
        WsssError: a cell cannot be read, or the cells can be read in two ways.
    """
    texts: dict[str, str] = {}  # The distinct cells, and where each is first.
    for number in columns:
        for cell, place in zip(grid.column(number), grid.places, strict=True):
            if isinstance(cell, str) and cell:
                texts.setdefault(cell, place)
    lists = {
        place: cell
        for number in columns
        for cell, place in zip(grid.column(number), grid.places, strict=True)
        if not isinstance(cell, str)
    }
    refuse_marks(lists, request)
    labels, words, problems = _read_texts(texts, bool(lists), request)

    def labels_of(cell: Cell, place: str) -> Labels:
        return labels[cell] if isinstance(cell, str) else labels_of_list(cell, place, request)

    joined = cache(_joined)  # Rows with the same labels share them.
    cells_by_row = zip(*(grid.column(number) for number in columns), strict=True)
    rows = [
        TagRow(place, str(entry), joined(tuple(labels_of(cell, place) for cell in cells)))
        for place, entry, cells in zip(grid.places, grid.column(image), cells_by_row, strict=True)
    ]
    names = ", ".join(grid.name(number) for number in (image, *columns))
    columns_read = f"columns {names}" if grid.header is not None else "no header"
    return rows, f"{columns_read}; {words}", problems


def _joined(parts: Iterable[Labels]) -> Labels:
    return tuple(dict.fromkeys(name for labels in parts for name in labels))


def _read_texts(
    texts: dict[str, str], native: bool, request: Request
) -> tuple[dict[str, Labels], str, list[Problem]]:
    """The labels of each distinct cell of text, how they were read, and problems."""
    chosen = request.separator
    if chosen == LIST or (chosen is None and all_lists(texts)):
        refuse_marks({place: evaluated(cell) or () for cell, place in texts.items()}, request)
        read = {cell: parsed(cell, place, request) for cell, place in texts.items()}
        return {"": (), **read}, "labels in lists", []
    problems: list[Problem] = []
    if native:  # Beside lists, text is one label.
        separator = separator_of(chosen) if chosen is not None else WHOLE
    elif chosen is not None:
        separator = separator_of(chosen)
    else:
        refuse_some_lists(texts, request)
        try:
            separator = find_separator(texts, request.known)
        except UnclearError as unclear:
            raise _two_readings(texts, unclear, request) from None
        problems += _joined_names(texts, separator, request)
    labels = {cell: split(cell, separator) for cell in texts}
    several = any(len(names) > 1 for names in labels.values())
    shown = _SHOWN.get(separator, f"`{separator}`")
    if native:
        words = "labels in lists"
    elif several or (separator and chosen is not None):
        words = f"labels separated by {shown}"
    else:
        words = "one label a cell"
    return {"": (), **labels}, words, problems


def _two_readings(texts: dict[str, str], unclear: UnclearError, request: Request) -> Exception:
    """The error for cells that can be read in two ways, with both."""
    cell, separator = unclear.cell, unclear.separator
    parts = split(cell, separator)
    counts = [
        plural(len({name for text in texts for name in split(text, one)}), "class", "classes")
        for one in (separator, WHOLE)
    ]
    word = _WORD_OF.get(separator, separator)
    return request.refused(
        f"{texts[cell]}: `{cell:.80}` is either {name_some(parts)}, separated by "
        f"{_SHOWN.get(separator, f'`{separator}`')} ({counts[0]} in the table), or one class "
        f"'{cell:.80}' ({counts[1]} in the table)",
        "labels that can be read in one way only",
        f"Say what separates labels, separator='{word}', or that each cell is one class, "
        "separator='none'; or write `|` between labels.",
        SEPARATOR,
    )


def _joined_names(texts: dict[str, str], separator: str, request: Request) -> list[Problem]:
    """A problem if classes have a sign in their names that separates labels elsewhere."""
    if separator or request.known is not None:
        return []
    found = {sign: joint_cells(texts, sign) for sign in (";", ",")}
    return [
        Problem(
            str(request.path),
            f"{texts[cells[0]]}: {name_some(cells)} {'is one class' if len(cells) == 1 else 'are'}"
            f"{'' if len(cells) == 1 else ' one class each'}, with a `{sign}` in the name",
            "names without signs that may separate labels",
            "Nothing to do if that is right; else write `|` between labels.",
            Severity.WARNING,
        )
        for sign, cells in found.items()
        if cells
    ]


def check_separator(separator: str | None) -> None:
    """Refuse an empty separator.

    Raises:
        InvalidOptionError: it is empty.
    """
    if separator == "":
        raise InvalidOptionError(
            "separator", separator, f"one of {', '.join(WORDS)}, {LIST}, none, or a sign"
        )
