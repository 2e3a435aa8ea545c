"""The labels of a folder's images, checked against classes and image files."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from wsss.data.sample import MAX_CLASSES
from wsss.data.sources.folder.image_index import ImageIndex, entry_id
from wsss.data.sources.folder.tags.combinations import by_bare_name, combination
from wsss.data.sources.folder.tags.read import read_tags
from wsss.data.sources.folder.tags.tag_table import SEPARATOR, Request, TagRow, TagTable
from wsss.data.sources.lists import is_background, read_class_names
from wsss.errors import Problem, Severity, WsssError
from wsss.wording import did_you_mean, name_some, plural

_PLACEHOLDERS = frozenset({"nan", "none", "null", "n/a", "na", "<na>", "nil", "-", "--", "?"})
"""What programs and people write where there is nothing, in lower case."""


@dataclass(frozen=True, slots=True)
class FolderLabels:
    """The labels of the images that exist."""

    class_names: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]
    """Mask values 1…C of each image's tags by id, in the order of the rows."""
    rejected: frozenset[str]
    """Ids of rows without an image."""
    described: str
    """What was read, and how, in a line."""
    problems: tuple[Problem, ...]


def read_labels(
    path: Path,
    classes: Path,
    index: ImageIndex,
    separator: str | None = None,
    columns: Sequence[str] = (),
) -> FolderLabels:
    """Read a table of labels and check it against the classes and the images.

    Args:
        path: the table, in any of its forms.
        classes: list of the classes after `background`; where there is no such file the classes
            are the labels in use, sorted.
        index: the images.
        separator: between labels in a cell; None to find it out.
        columns: names of the column of images and of those of labels; empty to find them out.

    Raises:
        WsssError: the table is unreadable, or can be read in two ways.
    """
    listed: tuple[str, ...] | None = None
    problems: list[Problem] = []
    if classes.is_file():
        try:
            listed, problems = read_class_names(classes)
        except WsssError as error:
            problems = list(error.problems)
    request = Request(path, index, listed, separator, tuple(columns))
    table = read_tags(request)
    class_names = _names_in_use(table.rows) if listed is None else listed
    if listed is None and not (separator and table.has_cells):
        _check_no_combinations(request, table, class_names)
    if separator and not table.has_cells:
        problems.append(_no_cells(path, separator))
    problems += _check_classes(path, class_names)
    problems += _check_placeholders(path, table.rows) if listed is None else ()
    problems += table.problems
    problems += _check_labels(path, table.rows, class_names)
    found, rejected, misses = _find_images(path, table, index)
    value = {name: label for label, name in enumerate(class_names, 1)}

    @cache  # Images with the same labels share them.
    def mask_values(names: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(sorted(value[name] for name in names if name in value))

    return FolderLabels(
        class_names,
        {item_id: mask_values(row.labels) for item_id, row in found.items()},
        rejected,
        _described(path, len(found), len(rejected), len(class_names), table),
        (*problems, *misses, *_without_row(path, index, found)),
    )


def _described(
    path: Path, num_images: int, num_missing: int, num_classes: int, table: TagTable
) -> str:
    name = path.name + "/" * path.is_dir()
    long = table.rows_add_up and len(table.rows) > num_images + num_missing
    counts = f"{plural(num_images, 'image')}, {plural(num_classes, 'class', 'classes')}"
    return f"{name}: {counts}; {table.reading}" + ", one row an image and label" * long


def _check_no_combinations(request: Request, table: TagTable, class_names: Sequence[str]) -> None:
    """Refuse classes whose names are those of others, joined.

    Raises:
        WsssError: there is one.
    """
    classes = by_bare_name(class_names)
    found = {name: parts for name in class_names if (parts := combination(name, classes))}
    if not found:
        return
    place, name = next((r.place, name) for r in table.rows for name in r.labels if name in found)
    raise request.refused(
        f"{place}: '{name}' is either one class of that name, or the classes "
        f"{name_some(found[name])}, which are there as well",
        "labels that can be read in one way only",
        "Separate labels in the same way everywhere, by `|`; or list all classes in classes.txt, "
        f"with '{name}' if it is one of them."
        if table.has_cells
        else f"List all classes in classes.txt, with '{name}' if it is one of them; else give its "
        "images both labels.",
        SEPARATOR if table.has_cells else None,
    )


def _no_cells(path: Path, separator: str) -> Problem:
    return Problem(
        str(path),
        f"`separator` is {separator}, but labels are not in cells here",
        "a separator for tables with several labels in a cell only",
        "Leave `separator` out.",
        Severity.WARNING,
    )


def _names_in_use(rows: Sequence[TagRow]) -> tuple[str, ...]:
    return tuple(sorted({n for row in rows for n in row.labels if not is_background(n)}))


def _check_classes(path: Path, class_names: Sequence[str]) -> Iterator[Problem]:
    """Too few or too many classes, and names that differ only in case or spaces."""
    if not class_names:
        yield Problem(
            str(path),
            "no row has a label",
            "at least one class",
            "Write the classes an image shows into the column `labels`: `photo.jpg,cat|dog`.",
        )
    if len(class_names) > MAX_CLASSES:
        yield Problem(
            str(path),
            f"{len(class_names):,} classes: {name_some(class_names)}",
            f"at most {MAX_CLASSES}: masks are 8-bit, with 0 for background and 255 for void",
            "Merge or leave out classes; see that the labels of a cell are separated, by `|`.",
        )
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        spellings["".join(name.casefold().split())].append(name)
    for alike in spellings.values():
        if len(set(alike)) > 1:
            yield Problem(
                str(path),
                f"{name_some(alike)} count as different classes",
                "one spelling of every class",
                "Write them alike if they mean the same.",
                Severity.WARNING,
            )


def _check_placeholders(path: Path, rows: Sequence[TagRow]) -> Iterator[Problem]:
    """Classes whose names are what programs write where there is nothing."""
    for row in rows:
        if row.labels and row.labels[0].casefold() in _PLACEHOLDERS:
            yield Problem(
                str(path),
                f"{row.place}: '{row.labels[0]}' counts as a class",
                "a blank cell where an image shows no class",
                "Nothing to do if it is one; else leave these cells blank.",
                Severity.WARNING,
            )


def _check_labels(
    path: Path, rows: Sequence[TagRow], class_names: Sequence[str]
) -> Iterator[Problem]:
    """Unknown labels."""
    known = set(class_names)
    hints: dict[str, str] = {}
    for row in rows:
        for name in row.labels:
            if is_background(name) and name not in known:
                yield Problem(
                    str(path),
                    f"{row.place}: the label '{name}'",
                    "labels of objects; background is everything else and needs no label",
                    "Remove this label; an image that shows nothing else has empty labels.",
                )
            elif name not in known:
                if name not in hints:
                    hints[name] = did_you_mean(name, class_names)
                yield Problem(
                    str(path),
                    f"{row.place}: unknown class '{name}'{hints[name]}",
                    "the classes of classes.txt",
                    "Correct these labels, or add the class to classes.txt.",
                )


def _find_images(
    path: Path, table: TagTable, index: ImageIndex
) -> tuple[dict[str, TagRow], frozenset[str], list[Problem]]:
    """The row of each image by id, the ids of rows without an image, and problems."""
    found: dict[str, TagRow] = {}
    rejected: set[str] = set()
    problems: list[Problem] = []
    for row in table.rows:
        item_id = index.find(row.image)
        if item_id is None:
            rejected.add(entry_id(row.image))
            problems.append(_no_image(path, row, index))
        elif (earlier := found.get(item_id)) is None:
            found[item_id] = row
        elif table.rows_add_up and set(row.labels) - set(earlier.labels) and earlier.labels:
            found[item_id] = replace(earlier, labels=(*earlier.labels, *row.labels))
        else:
            problems.append(_repeated(path, row, earlier, table.rows_add_up))
    return found, frozenset(rejected), problems


def _no_image(path: Path, row: TagRow, index: ImageIndex) -> Problem:
    if index.escapes(row.image):
        return Problem(
            str(path),
            f"{row.place}: '{row.image}' points out of the images folder",
            f"paths below {index.folder}, like `cats/001.jpg`",
            "Move the images there, and write their paths from there on.",
        )
    if not row.image:
        return Problem(
            str(path),
            f"{row.place}: labels without an image",
            "an image in the first column",
            "Name the image, or remove the row.",
        )
    return Problem(
        str(path),
        f"{row.place}: no image '{row.image}'{index.suggest(row.image)}",
        f"a file in {index.folder} for every row",
        "Add the missing images, or correct or remove these rows.",
    )


def _repeated(path: Path, row: TagRow, earlier: TagRow, rows_add_up: bool) -> Problem:
    labels, before = set(row.labels), set(earlier.labels)
    if labels == before or (rows_add_up and labels and labels < before):
        return Problem(
            str(path),
            f"{row.place}: '{row.image}' has the same row already in {earlier.place}",
            "one row an image",
            "Remove the repeated rows; they are ignored.",
            Severity.WARNING,
        )
    return Problem(
        str(path),
        f"{row.place}: '{row.image}' has other labels than in {earlier.place}",
        "one row an image",
        "Write all labels of an image into one row, separated by `|`.",
    )


def _without_row(path: Path, index: ImageIndex, found: dict[str, TagRow]) -> Iterator[Problem]:
    """Images without a row."""
    unlabelled = [index.file(item_id) for item_id in index if item_id not in found]
    if unlabelled:
        yield Problem(
            str(path),
            f"{plural(len(unlabelled), 'image has', 'images have')} no row: "
            f"{name_some(unlabelled)}",
            "a row for every image of the folder",
            "Nothing to do if they are left out on purpose; else add their rows. An image without "
            "objects has a row with empty labels.",
            Severity.WARNING,
        )
