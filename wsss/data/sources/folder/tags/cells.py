"""The labels in a table's cells: text with a separator, or lists of JSON or Python."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from wsss.data.sources.folder.tags.grid import Cell, Grid, text_of
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
from wsss.errors import InvalidOptionError, Problem, Severity, user_error
from wsss.wording import name_some, plural

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
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
    _refuse_marks(lists, request)
    labels, words, problems = _read_texts(texts, bool(lists), request)

    def labels_of(cell: Cell, place: str) -> Labels:
        return labels[cell] if isinstance(cell, str) else _of_list(cell, place, request)

    cells_by_row = zip(*(grid.column(number) for number in columns), strict=True)
    rows = [
        TagRow(place, str(entry), _joined(labels_of(cell, place) for cell in cells))
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
    if chosen == LIST or (chosen is None and _all_lists(texts)):
        _refuse_marks({place: _evaluated(cell) or () for cell, place in texts.items()}, request)
        read = {cell: _parsed(cell, place, request) for cell, place in texts.items()}
        return {"": (), **read}, "labels in lists", []
    problems: list[Problem] = []
    if native:  # Beside lists, text is one label.
        separator = separator_of(chosen) if chosen is not None else WHOLE
    elif chosen is not None:
        separator = separator_of(chosen)
    else:
        _refuse_some_lists(texts, request)
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


def _in_brackets(cell: str) -> bool:
    return _BRACKETS.get(cell[0]) == cell[-1]


def _all_lists(texts: Iterable[str]) -> bool:
    """Whether cells are meant as lists, be it that some are damaged."""
    cells = list(texts)
    return all(map(_in_brackets, cells)) and any(
        cell[0] == "[" or _evaluated(cell) is not None for cell in cells
    )


def _refuse_some_lists(texts: dict[str, str], request: Request) -> None:
    """Refuse cells of which some are lists and some are not."""
    lists = [cell for cell in texts if cell[0] == "[" and _in_brackets(cell) and _evaluated(cell)]
    if lists:
        other = next(cell for cell in texts if not _in_brackets(cell))
        raise user_error(
            request.path,
            f"{texts[other]}: `{other:.80}`, but {texts[lists[0]]}: `{lists[0]:.80}`",
            "either lists in all cells, or in none",
            "Write all labels in the same way; an image without objects has a blank cell or `[]`.",
        )


def _refuse_marks(lists: Mapping[str, Sequence[object]], request: Request) -> None:
    """Refuse lists of a 0 or 1 for every class, which name no class.

    Raises:
        WsssError: all lists are such ones.
    """
    lengths = {len(values) for values in lists.values()}
    values = [value for values in lists.values() for value in values]
    if len(lengths) == 1 < max(lengths) and all(_is_mark(value) for value in values):
        place, first = next(iter(lists.items()))
        raise user_error(
            request.path,
            f"{place}: `{list(first)!s:.80}` tells of every class whether it is shown, but not "
            "which one it is",
            'names of classes, such as `["cat", "dog"]`',
            "Write the names of the classes that are shown, or one column a class.",
        )


def _is_mark(value: object) -> bool:
    return isinstance(value, int | float) and value in (0, 1)


def _parsed(cell: str, place: str, request: Request) -> Labels:
    """The labels of a cell that is a list of JSON or Python."""
    values = _evaluated(cell)
    if values is None:
        raise user_error(
            request.path,
            f"{place}: `{cell:.80}` is no list of JSON or Python",
            'lists with quotes and commas, such as `["cat", "dog"]`',
            "Correct this cell, or separate labels by `|`: `cat|dog`.",
        )
    return _of_list(values, place, request)


def _evaluated(cell: str) -> Sequence[object] | None:
    """The values of a list of JSON, or of a list, tuple or set of Python; None if it is none.

    NumPy prints `['cat' 'dog']`, which Python would take for `['catdog']`.
    """
    try:
        values = json.loads(cell)
    except ValueError:
        try:
            if re.search(r"""['"]\s*['"]""", cell) and _adjacent_strings(cell):
                return None
            values = ast.literal_eval(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
            return None
    if isinstance(values, set):
        values = sorted(values, key=str)
    return values if isinstance(values, list | tuple) else None


def _adjacent_strings(cell: str) -> bool:
    """Whether two strings follow each other without a comma."""
    tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
    kinds = [token.type for token in tokens if token.type != tokenize.NL]
    return any(one == other == tokenize.STRING for one, other in pairwise(kinds))


def _of_list(values: Sequence[object], place: str, request: Request) -> Labels:
    odd = [value for value in values if not isinstance(value, str | int)]
    if odd:
        raise user_error(
            request.path,
            f"{place}: `{odd[0]!r:.80}` in a list of labels",
            "names of classes",
            'Write a list of names: `["cat", "dog"]`.',
        )
    return tuple(dict.fromkeys(name for value in values if (name := text_of(value))))


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
