"""The text files of a data set on disk: labels.csv, classes.txt, lists of ids."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wsss.errors import Problem, user_error

HEADER = ["image", "labels"]
SEPARATOR = "|"
"""Between the labels of one image."""

BACKGROUND_NAMES = frozenset({"background", "bg"})
"""Names of the background, without underscores and in lower case."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of labels.csv."""

    line: int
    """Counted from 1, the header."""
    image: str
    labels: tuple[str, ...]
    """As written, without repeats."""
    surplus: tuple[str, ...] = ()
    """Cells of further columns."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a labels.csv; blank ones are left out.

    Raises:
        WsssError: the file is unreadable or has another header.
    """
    reader = csv.reader(read_text(path).splitlines(keepends=True), strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise user_error(
            path,
            f"line {reader.line_num} cannot be read as CSV ({error})",
            "comma-separated values, quotes in pairs",
            "Correct this line; names without commas and quotes need no quoting.",
        ) from None
    lines = [(line, cells) for line, cells in lines if any(cells)]
    header = _without_trailing_blanks(lines[0][1]) if lines else []
    if [cell.lower() for cell in header] != HEADER:
        raise user_error(
            path,
            f"the first line is `{','.join(header)}`" if lines else "an empty file",
            f"the header `{','.join(HEADER)}`",
            "Make the first line `image,labels`, with a comma; a row is `photo.jpg,cat|dog`.",
        )
    return [_row(line, cells) for line, cells in lines[1:]]


def read_class_names(path: Path) -> tuple[tuple[str, ...], list[Problem]]:
    """Names of the classes 1…C from a classes.txt whose first line is the background.

    Returns:
        The names, and their problems.

    Raises:
        WsssError: the file is unreadable.
    """
    names = [line for _, line in read_lines(path)]
    problems = []
    if names and is_background(names[0]):
        del names[0]
    else:
        first = f"the first line is '{names[0]}'" if names else "an empty file"
        problems.append(
            Problem(
                str(path),
                first,
                "`background` in the first line, then one class a line",
                "Put a line `background` before the classes: it is mask value 0, they are 1, 2, …",
            )
        )
    for repeated in sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            Problem(
                str(path),
                f"the class '{repeated}' is listed {names.count(repeated)} times",
                "every class once",
                "Remove the repeated line, and see that mask values still fit the line numbers.",
            )
        )
    return tuple(names), problems


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and stripped text of the lines that are not blank.

    Raises:
        WsssError: the file is unreadable.
    """
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, with or without byte order mark.

    Raises:
        WsssError: the file is unreadable or in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise user_error(
            path,
            f"the file cannot be read ({error.strerror})",
            "a text file you may read",
            "See whether it exists and what its permissions are.",
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise user_error(
            path,
            f"line {line} is not UTF-8 text (byte 0x{error.object[error.start]:02X})",
            "text in UTF-8",
            "Save it anew with the encoding UTF-8 (in Excel: `CSV UTF-8`).",
        ) from None


def is_background(name: str) -> bool:
    """Whether a name is one of the background."""
    return name.strip("_ ").lower() in BACKGROUND_NAMES


def _row(line: int, cells: list[str]) -> Row:
    image, labels, *surplus = [*cells, ""]
    names = (name.strip() for name in labels.split(SEPARATOR))
    return Row(
        line,
        image,
        tuple(dict.fromkeys(name for name in names if name)),
        tuple(_without_trailing_blanks(surplus)),
    )


def _without_trailing_blanks(cells: list[str]) -> list[str]:
    """The cells without those that a spreadsheet appends."""
    return list(cells[: max((i for i, cell in enumerate(cells, 1) if cell), default=0)])
