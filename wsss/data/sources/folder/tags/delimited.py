"""Tables of text: which sign is between columns, and whether there is a header."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from wsss.data.images import IMAGE_SUFFIXES
from wsss.data.sources.folder.image_index import ImageIndex
from wsss.data.sources.folder.tags.column_names import IMAGE_NAMES, LABEL_NAMES, plain
from wsss.data.sources.folder.tags.grid import Grid
from wsss.data.sources.folder.tags.tag_table import Request
from wsss.data.sources.text_files import cleaned, read_text
from wsss.errors import Problem, user_error

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""Signs between columns, and their names."""

_EXAMPLE = "Make the first line `image,labels`, with a comma; a row is `photo.jpg,cat|dog`."
_HEADER = "the header `image,labels`"
_EXCEL_HINT = re.compile(r"sep=(.)(\r\n?|\n)")


def read_delimited(request: Request) -> Grid:
    """Read a table of text, whose columns are separated by commas, semicolons or tabs.

    The sign is that which makes a header of the first line, or an image of its first cell.

    Raises:
        WsssError: the file is unreadable, has no header that is understood, or more than one.
    """
    text = read_text(request.path)
    hint = _EXCEL_HINT.match(text)
    text = text[hint.end() :] if hint else text
    first_line = 2 if hint else 1
    choices = [hint[1]] if hint else [*DELIMITERS]
    firsts = {sign: first for sign in choices if (first := _first_record(text, sign))}
    if not firsts:
        raise user_error(request.path, "an empty file", _HEADER, _EXAMPLE)
    plausible = {
        sign: first
        for sign, first in firsts.items()
        if len(first) > 1
        and (
            _is_header(first, request)
            or (not request.columns and _is_image(first[0], request.index))
        )
    }
    if len(plausible) != 1:
        raise _no_header(request, text, firsts, plausible)
    ((sign, first),) = plausible.items()
    return _grid(request, text, sign, first_line, has_header=_is_header(first, request))


def _first_record(text: str, sign: str) -> list[str]:
    """Cleaned cells of the first line that is not blank; those before an error in quotes."""
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=sign):
            if any(cell.strip() for cell in cells):
                return [cleaned(cell) for cell in cells]
    except csv.Error:
        pass
    return []


def _is_header(cells: Sequence[str], request: Request) -> bool:
    """Whether cells are names of columns, as far as one can tell from them alone."""
    if request.columns:
        return {plain(name) for name in request.columns} <= {plain(cell) for cell in cells}
    names = {plain(cell) for cell in cells if cell}
    if not names & (IMAGE_NAMES | LABEL_NAMES) and cells[0]:
        return False
    return names <= IMAGE_NAMES | LABEL_NAMES or not _is_image(cells[0], request.index)


def _is_image(entry: str, index: ImageIndex) -> bool:
    """Whether an entry is an image, or would be one if the file were there."""
    return index.find(entry) is not None or (
        PurePosixPath(entry.replace("\\", "/")).suffix.lower() in IMAGE_SUFFIXES
    )


def _grid(request: Request, text: str, sign: str, first_line: int, has_header: bool) -> Grid:
    """All cells of a table."""
    path = request.path
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    header: list[str] | None = None
    rows: list[list[str]] = []
    places: list[str] = []
    problems: list[Problem] = []
    try:
        for cells in reader:
            cells = [cleaned(cell) for cell in cells]
            if not any(cells):
                continue
            if header is None and has_header:
                header = _trimmed(cells)
                continue
            place = f"line {reader.line_num + first_line - 1}"
            _check_no_row_in_quotes(path, place, cells, sign, request.index)
            if header is not None:
                _check_no_second_header(path, place, cells, header, request.index)
                if len(cells) > len(header):
                    if surplus := _trimmed(cells[len(header) :]):
                        problems.append(_surplus(path, place, header, surplus))
                    del cells[len(header) :]
            rows.append(cells)
            places.append(place)
    except csv.Error as error:
        raise user_error(
            path,
            f"line {reader.line_num + first_line - 1} cannot be read as CSV ({error})",
            "comma-separated values, quotes in pairs",
            "Correct this line; names without commas and quotes need no quoting.",
        ) from None
    if header is None:
        rows = [_trimmed(row) for row in rows]
    width = len(header) if header is not None else max(2, *map(len, rows))
    for row in rows:
        if len(row) < width:
            row += [""] * (width - len(row))
    kind = "" if sign == "," else f"{DELIMITERS.get(sign, repr(sign))} between columns"
    return Grid(header, rows, places, kind, problems)


def _check_no_second_header(
    path: object, place: str, cells: Sequence[str], header: Sequence[str], index: ImageIndex
) -> None:
    """Refuse a second table below the first."""
    again = cells == header
    if not again and plain(cells[0]) not in IMAGE_NAMES:
        return
    shown = _trimmed(cells)
    other = len(shown) > 1 and {*map(plain, shown)} <= IMAGE_NAMES | LABEL_NAMES
    if (again or other) and index.find(shown[0]) is None:
        raise user_error(
            path,
            f"{place}: `{','.join(shown)}` is a header, in the middle of the table",
            "one table, with one header in its first line",
            "Remove what is not meant: there seem to be two tables in this file.",
        )


def _check_no_row_in_quotes(
    path: object, place: str, cells: Sequence[str], sign: str, index: ImageIndex
) -> None:
    """Refuse a cell in quotes that holds other rows, as one quote too many makes it."""
    for cell in cells:
        for line in cell.splitlines()[1:]:
            if sign in line and _is_image(cleaned(line.split(sign)[0]), index):
                raise user_error(
                    path,
                    f"{place}: a cell in quotes goes over several lines, with the row "
                    f"`{line:.80}` in it",
                    "quotes in pairs, around single cells",
                    "Close the quote before this row, or remove it; a quote that belongs to a name "
                    'is written twice: `"the ""big"" cat"`.',
                )


def _surplus(path: object, place: str, header: Sequence[str], surplus: Sequence[str]) -> Problem:
    return Problem(
        str(path),
        f"{place}: more than {len(header)} columns, '{','.join(surplus)}' is left over",
        f"{len(header)} columns, `{','.join(header)}`",
        "Separate labels by `|`, and quote names that contain a comma.",
    )


def _no_header(
    request: Request, text: str, firsts: dict[str, list[str]], plausible: dict[str, list[str]]
) -> Exception:
    """The error for a first line that cannot be understood, or in two ways."""
    line = next(line for line in text.splitlines() if line.strip()).strip()
    if plausible:
        readings = " or ".join(
            f"{len(cells)} columns between {DELIMITERS[sign]} ({', '.join(map(repr, cells))})"
            for sign, cells in plausible.items()
        )
        return user_error(
            request.path,
            f"the first line, `{line:.80}`, is {readings}",
            "a header that can be read in one way",
            "Use one sign between columns, and quote names that contain it.",
        )
    if request.columns:
        expected = f"a header with the columns {' and '.join(f'`{c}`' for c in request.columns)}"
        return user_error(
            request.path, f"the first line is `{line:.80}`", expected, "Correct their names."
        )
    if max(map(len, firsts.values())) > 1:
        return request.refused(
            f"the first line, `{line:.80}`, is neither a header with the names of two columns "
            "nor does it begin with an image of the images folder",
            f"{_HEADER}, or names like `filename` and `label`",
            "Name the columns: `columns=['filename', 'species']`. " + _EXAMPLE,
            "columns of tags",
        )
    return user_error(
        request.path, f"the first line is `{line:.80}`, a single column", _HEADER, _EXAMPLE
    )


def _trimmed(cells: Sequence[str]) -> list[str]:
    """The cells without the blank ones that a spreadsheet appends."""
    return list(cells[: max((i for i, cell in enumerate(cells, 1) if cell), default=0)])
