"""The lists of a data set on disk: classes.txt, lists of ids."""

from collections.abc import Iterator
from pathlib import Path

from wsss.data.sources.text_files import cleaned, read_text
from wsss.errors import Problem

BACKGROUND_NAMES = frozenset({"background", "bg"})
"""Names of the background, without underscores and in lower case."""


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
    """Number, from 1, and cleaned text of the lines that are not blank.

    Raises:
        WsssError: the file is unreadable.
    """
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if text := cleaned(line):
            yield number, text


def is_background(name: str) -> bool:
    """Whether a name is one of the background."""
    return name.strip("_ ").lower() in BACKGROUND_NAMES
