"""The labels of a folder's images: labels.csv, checked against classes and image files."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.data.sample import MAX_CLASSES
from wsss.data.sources.folder.image_index import ImageIndex, entry_id, escapes
from wsss.data.sources.lists import Row, is_background, read_class_names, read_rows
from wsss.errors import Problem, Severity, WsssError
from wsss.wording import did_you_mean, name_some, plural


@dataclass(frozen=True, slots=True)
class FolderLabels:
    """The labels of the images that exist."""

    class_names: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]
    """Mask values 1…C of each image's tags by id, in the order of the rows."""
    rejected: frozenset[str]
    """Ids of rows without an image."""
    problems: tuple[Problem, ...]


def read_labels(path: Path, classes: Path, index: ImageIndex) -> FolderLabels:
    """Read a table of labels and check it against the classes and the images.

    Args:
        path: the table, with the header `image,labels`.
        classes: list of the classes after `background`; where there is no such file the classes
            are the labels in use, sorted.
        index: the images.

    Raises:
        WsssError: the table is unreadable or has another header.
    """
    rows = read_rows(path)
    class_names: tuple[str, ...] | None = None
    problems: list[Problem] = []
    if classes.is_file():
        try:
            class_names, problems = read_class_names(classes)
        except WsssError as error:
            problems = list(error.problems)
    if class_names is None:
        class_names = _names_in_use(rows)
    problems += _check_classes(path, class_names)
    problems += _check_labels(path, rows, class_names)
    found, rejected, misses = _find_images(path, rows, index)
    value = {name: label for label, name in enumerate(class_names, 1)}
    return FolderLabels(
        class_names,
        {
            item_id: tuple(sorted(value[name] for name in row.labels if name in value))
            for item_id, row in found.items()
        },
        rejected,
        (*problems, *misses, *_without_row(path, index, found)),
    )


def _names_in_use(rows: Sequence[Row]) -> tuple[str, ...]:
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
            "Merge or leave out classes; check that labels are separated by `|`.",
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


def _check_labels(path: Path, rows: Sequence[Row], class_names: Sequence[str]) -> Iterator[Problem]:
    """Rows with surplus columns, and unknown labels."""
    known = set(class_names)
    hints: dict[str, str] = {}
    for row in rows:
        if row.surplus:
            yield Problem(
                str(path),
                f"line {row.line}: more than two columns, '{','.join(row.surplus)}' is left over",
                "two columns, `image,labels`",
                "Separate labels by `|`, and quote names that contain a comma.",
            )
        for name in row.labels:
            if is_background(name) and name not in known:
                yield Problem(
                    str(path),
                    f"line {row.line}: the label '{name}'",
                    "labels of objects; background is everything else and needs no label",
                    "Remove this label; an image that shows nothing else has empty labels.",
                )
            elif name not in known:
                if name not in hints:
                    hints[name] = did_you_mean(name, class_names)
                yield Problem(
                    str(path),
                    f"line {row.line}: unknown class '{name}'{hints[name]}",
                    "the classes of classes.txt",
                    "Correct these labels, or add the class to classes.txt.",
                )


def _find_images(
    path: Path, rows: Sequence[Row], index: ImageIndex
) -> tuple[dict[str, Row], frozenset[str], list[Problem]]:
    """The row of each image by id, the ids of rows without an image, and problems."""
    found: dict[str, Row] = {}
    rejected: set[str] = set()
    problems: list[Problem] = []
    for row in rows:
        item_id = index.find(row.image)
        if item_id is None:
            rejected.add(entry_id(row.image))
            problems.append(_no_image(path, row, index))
        elif item_id in found:
            problems.append(_repeated(path, row, found[item_id]))
        else:
            found[item_id] = row
    return found, frozenset(rejected), problems


def _no_image(path: Path, row: Row, index: ImageIndex) -> Problem:
    if escapes(row.image):
        return Problem(
            str(path),
            f"line {row.line}: '{row.image}' points out of the images folder",
            f"paths below {index.folder}, like `cats/001.jpg`",
            "Move the images there, and write their paths from there on.",
        )
    if not row.image:
        return Problem(
            str(path),
            f"line {row.line}: labels without an image",
            "an image in the first column",
            "Name the image, or remove the row.",
        )
    return Problem(
        str(path),
        f"line {row.line}: no image '{row.image}'{index.suggest(row.image)}",
        f"a file in {index.folder} for every row",
        "Add the missing images, or correct or remove these rows.",
    )


def _repeated(path: Path, row: Row, earlier: Row) -> Problem:
    if set(row.labels) == set(earlier.labels):
        return Problem(
            str(path),
            f"line {row.line}: '{row.image}' has the same row already in line {earlier.line}",
            "one row an image",
            "Remove the repeated rows; they are ignored.",
            Severity.WARNING,
        )
    return Problem(
        str(path),
        f"line {row.line}: '{row.image}' has other labels than in line {earlier.line}",
        "one row an image",
        "Write all labels of an image into one row, separated by `|`.",
    )


def _without_row(path: Path, index: ImageIndex, found: dict[str, Row]) -> Iterator[Problem]:
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
