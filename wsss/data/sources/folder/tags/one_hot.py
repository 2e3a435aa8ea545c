"""One column a class: whether an image shows it."""

from collections.abc import Iterable, Sequence

from wsss.data.sources.folder.tags.grid import Cell, Grid
from wsss.data.sources.folder.tags.tag_table import TagRow
from wsss.data.sources.lists import is_background
from wsss.errors import Problem, Severity
from wsss.wording import name_some, plural

SHOWN = frozenset({"1", "1.0", "true", "t", "yes", "y", "x"})
"""What stands for a class that is shown, in lower case."""
ABSENT = frozenset({"0", "0.0", "false", "f", "no", "n", ""})
"""What stands for a class that is not."""


def is_binary(cells: Iterable[Cell]) -> bool:
    """Whether all cells say yes or no."""
    return _distinct(cells) <= SHOWN | ABSENT


def is_numeric(cells: Iterable[Cell]) -> bool:
    """Whether all cells are numbers or blank."""
    return all(not cell or _is_number(cell) for cell in _distinct(cells))


def odd_cell(grid: Grid, number: int) -> tuple[str, Cell]:
    """Place and text of the first cell of a column that says neither yes nor no."""
    return next(
        (place, cell)
        for place, cell in zip(grid.places, grid.column(number), strict=True)
        if not is_binary([cell])
    )


def one_hot_rows(
    grid: Grid, image: int, classes: Sequence[int], path: object
) -> tuple[list[TagRow], str, list[Problem]]:
    """The rows of a table with one column a class, how it was read, and what was left out."""
    names = {number: grid.name(number) for number in classes}
    background = [number for number, name in names.items() if is_background(name)]
    for number in background:
        del names[number]
    labels: list[list[str]] = [[] for _ in grid.rows]
    never = []
    for number, name in names.items():
        cells = grid.column(number)
        shown = {cell for cell in set(cells) if str(cell).casefold() in SHOWN}
        for own, cell in zip(labels, cells, strict=True):
            if cell in shown:
                own.append(name)
        if not shown:
            never.append(name)
    rows = [
        TagRow(place, str(entry), tuple(dict.fromkeys(own)))
        for place, entry, own in zip(grid.places, grid.column(image), labels, strict=True)
    ]
    problems = []
    if background:
        problems.append(
            Problem(
                str(path),
                f"the column '{grid.name(background[0])}' is not read",
                "columns of objects; background is everything else and needs no label",
                "Nothing to do.",
                Severity.WARNING,
            )
        )
    if never:
        problems.append(
            Problem(
                str(path),
                f"{plural(len(never), 'column')} without a single image: {name_some(never)}",
                "an image of every class",
                "Nothing to do if these are none of your classes; else list all in classes.txt.",
                Severity.WARNING,
            )
        )
    reading = f"column {grid.name(image)}; one column a class, with yes or no"
    return rows, reading, problems


def _distinct(cells: Iterable[Cell]) -> set[str]:
    """The distinct cells, in lower case."""
    try:
        return {str(cell).casefold() for cell in set(cells)}
    except TypeError:
        return {"a list"}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
