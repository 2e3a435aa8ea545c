"""Which columns of a table hold the images, their labels, or one class each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wsss.data.sources.folder.image_index import ImageIndex
from wsss.data.sources.folder.tags.column_names import (
    ATTRIBUTE_NAMES,
    IMAGE_NAMES,
    LABEL_NAMES,
    SCORE_NAMES,
    SPLIT_NAMES,
    is_index_name,
    plain,
)
from wsss.data.sources.folder.tags.grid import Grid
from wsss.data.sources.folder.tags.one_hot import is_binary, is_numeric, odd_cell
from wsss.data.sources.folder.tags.tag_table import COLUMNS, Request
from wsss.errors import Problem, Severity, user_error
from wsss.wording import name_some

_NO_CLASSES = ATTRIBUTE_NAMES | IMAGE_NAMES
"""Names of columns that are neither labels nor classes, unless a list of classes has them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Numbers of columns, from 0."""

    image: int
    labels: tuple[int, ...] = ()
    """Those whose cells name classes."""
    classes: tuple[int, ...] = ()
    """Those that are named after a class and tell whether an image shows it."""
    ignored: tuple[int, ...] = ()
    """Those that hold something else."""


def find_columns(grid: Grid, request: Request) -> Columns:
    """Tell the columns of a table apart, by their names and by what is in them.

    Raises:
        WsssError: the columns cannot be told, or in two ways.
    """
    if grid.header is None:
        return _without_header(grid, request)
    _check_no_repeats(grid.header, request)
    if request.columns:
        return _as_told(grid, request)
    image = _image_column(grid, request)
    others = [
        number
        for number in range(grid.num_columns)
        if number != image and not _is_index(grid, number)
    ]
    labels = [number for number in others if plain(grid.header[number]) in LABEL_NAMES]
    known = set(request.known or ())
    rest = [
        number
        for number in others
        if number not in labels
        and (plain(grid.header[number]) not in _NO_CLASSES or grid.header[number] in known)
    ]
    attributes = [number for number in others if number not in {*labels, *rest}]
    if len(labels) > 1:
        raise _unclear(grid, request, [[image, number] for number in labels[:2]])
    if labels:
        binary = [number for number in rest if is_binary(grid.column(number))]
        if binary and is_binary(grid.column(labels[0])):
            raise _unclear(grid, request, [[image, *labels], [image, *labels, *binary]])
        if len(binary) > 1:
            raise _unclear(grid, request, [[image, *labels], [image, *binary]])
        return Columns(image, tuple(labels), ignored=(*rest, *attributes))
    if rest and all(is_binary(grid.column(number)) for number in rest):
        _check_classes_have_names(grid, request, rest)
        return Columns(image, classes=tuple(rest), ignored=tuple(attributes))
    raise _no_labels(grid, request, image, rest)


def ignored_columns(grid: Grid, columns: Columns, path: object) -> Iterable[Problem]:
    """One problem for all columns that hold something else, and one for those of splits."""
    names = [grid.name(number) for number in columns.ignored]
    splits = [name for name in names if plain(name) in SPLIT_NAMES]
    unsure = [grid.name(number) for number in columns.ignored if _has_zero_score(grid, number)]
    others = [name for name in names if name not in (*splits, *unsure)]
    remedies = {
        "Nothing to do, unless they hold labels: a table has one column of labels.": others,
        "List the images of each split in splits/train.txt and splits/val.txt to keep it: a split "
        "is no part of the table of labels.": splits,
        "Remove the rows of 0 if their labels are not shown: here they count like all others.": (
            unsure
        ),
    }
    for remedy, left_out in remedies.items():
        if left_out:
            several = len(left_out) > 1
            yield Problem(
                str(path),
                f"the column{'s' * several} {name_some(left_out)} "
                f"{'are' if several else 'is'} not read",
                "a column of images, and one of their labels or one a class",
                remedy,
                Severity.WARNING,
            )


def _has_zero_score(grid: Grid, number: int) -> bool:
    """Whether a column tells how sure labels are, and that some are not shown at all."""
    return plain(grid.name(number)) in SCORE_NAMES and not {"0", "0.0"}.isdisjoint(
        map(str, grid.column(number))
    )


def _without_header(grid: Grid, request: Request) -> Columns:
    if grid.num_columns > 2:
        raise user_error(
            request.path,
            f"no header, and {grid.num_columns} columns",
            "a header, or an image and its labels in two columns",
            "Put a line with the columns' names first, such as `image,labels`; labels are "
            "separated by `|`.",
        )
    return Columns(0, (1,))


def _check_no_repeats(header: Sequence[str], request: Request) -> None:
    names = [name for name in header if name]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise user_error(
            request.path,
            f"the header has the column {name_some(repeated)} more than once",
            "every column once",
            "Rename or remove the others.",
        )


def _check_classes_have_names(grid: Grid, request: Request, numbers: Sequence[int]) -> None:
    """Refuse a column without a name among those of classes.

    Raises:
        WsssError: there is one.
    """
    assert grid.header is not None
    for number in numbers:
        if not grid.header[number]:
            raise user_error(
                request.path,
                f"the column no. {number + 1} has 1 and 0, but no name",
                "the name of a class over each column",
                "Write its name into the header, or remove the column.",
            )


def _as_told(grid: Grid, request: Request) -> Columns:
    """The columns that the user names: images, then labels or classes."""
    assert grid.header is not None
    numbers = {plain(name): number for number, name in reversed([*enumerate(grid.header)])}
    missing = [name for name in request.columns if plain(name) not in numbers]
    if missing or len(request.columns) < 2:
        raise request.refused(
            f"the header is `{','.join(grid.header)}`",
            "a column of images and one or more of labels"
            + f"; there is no {name_some(missing)}" * bool(missing),
            "Correct the names of the columns.",
            COLUMNS,
        )
    image, *labels = (numbers[plain(name)] for name in request.columns)
    others = (n for n in range(grid.num_columns) if n not in {image, *labels})
    ignored = tuple(number for number in others if not _is_index(grid, number))
    named_so = all(plain(grid.header[number]) in LABEL_NAMES for number in labels)
    if not named_so and all(is_binary(grid.column(number)) for number in labels):
        return Columns(image, classes=tuple(labels), ignored=ignored)
    return Columns(image, tuple(labels), ignored=ignored)


def _image_column(grid: Grid, request: Request) -> int:
    """The column named so; of several that which has most images; of none that which has all."""
    assert grid.header is not None
    numbers = range(len(grid.header))
    named = [n for n in numbers if plain(grid.header[n]) in IMAGE_NAMES]
    if len(named) == 1:
        return named[0]
    counts = {n: _num_found(grid, n, request.index) for n in named or numbers}
    most = max(counts.values(), default=0)
    best = [n for n, count in counts.items() if count == most and (named or count)]
    if named and not most:
        return named[0]
    if named and len(best) > 1 and _same_images(grid, best, request.index):
        best = best[:1]
    if len(best) != 1:
        came = (
            f"the columns {name_some([grid.name(n) for n in best])} name different images"
            if named
            else f"none of the columns {name_some([grid.name(n) for n in numbers])} holds images"
        )
        raise request.refused(
            came,
            "one column of images, called `image` or `filename`",
            "Name the columns: `columns=['filename', 'label']`.",
            COLUMNS,
        )
    return best[0]


def _num_found(grid: Grid, number: int, index: ImageIndex) -> int:
    cells = (cell for cell in grid.column(number) if isinstance(cell, str) and cell)
    return sum(index.find(cell) is not None for cell in cells)


def _same_images(grid: Grid, numbers: Sequence[int], index: ImageIndex) -> bool:
    rows = zip(*(grid.column(number) for number in numbers), strict=True)
    return all(len({index.find(str(cell)) for cell in cells}) == 1 for cells in rows)


def _is_index(grid: Grid, number: int) -> bool:
    """Whether a column numbers the rows, as that which data frames write, or is blank."""
    assert grid.header is not None
    if not is_index_name(grid.header[number]):
        return False
    cells = [cell for cell in grid.column(number) if cell]
    if number > 0 and not grid.header[number] and cells:
        return False
    return all(isinstance(cell, str) and cell.isdecimal() for cell in cells)


def _unclear(grid: Grid, request: Request, readings: Sequence[Sequence[int]]) -> Exception:
    named = [[grid.name(number) for number in numbers] for numbers in readings]
    shown = " or ".join(
        f"{names[0]} with {name_some(names[1:])} (`{','.join(names)}`)" for names in named
    )
    return request.refused(
        f"the header `{','.join(grid.header or ())}` can be read in two ways: {shown}",
        "one column of labels, or one column a class",
        f"Name the columns that are meant: `columns={named[0]}`.",
        COLUMNS,
    )


def _no_labels(grid: Grid, request: Request, image: int, rest: Sequence[int]) -> Exception:
    """The error for a table without a column of labels; it may be meant to have one a class."""
    binary = [number for number in rest if is_binary(grid.column(number))]
    numeric = [number for number in rest if is_numeric(grid.column(number))]
    if rest and (2 * len(binary) > len(rest) or len(numeric) == len(rest)):
        odd = next(number for number in rest if number not in binary)
        place, cell = odd_cell(grid, odd)
        return request.refused(
            f"{place}: `{cell}` in the column `{grid.name(odd)}`",
            "1 or 0, true or false, yes or blank in every column of a class",
            "Write 1 where an image shows the class and 0 elsewhere: scores and counts are no "
            "labels. Or name the columns of images and labels, if there are others.",
        )
    header = ",".join(grid.header or ())
    example = [grid.name(image), grid.name(rest[0]) if rest else "label"]
    return request.refused(
        f"the header `{header:.80}` names no column of labels",
        "a column called `labels`, `label`, `class`, `tags` or `category`, or one column a class "
        "with 1 or 0",
        f"Rename it, or name the columns: `columns={example}`.",
        COLUMNS,
    )
