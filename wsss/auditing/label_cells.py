"""How tags are written into the cells of a table, so that `data=folder` reads the same ones."""

import json
from collections.abc import Iterable, Sequence

SEPARATOR = "|"
ENDS = frozenset("|\r\n[](){}")
"""Signs that end a label or a cell, or make a cell look like a list."""


def needs_lists(class_names: Iterable[str], *, several: bool) -> bool:
    """Whether cells have to be lists of JSON, as `["stop;sign"]`.

    Between labels stands `|`, which decides for the whole table. Where no cell has two labels there
    is none, and other signs in names would be taken for separators; a name that holds one of `ENDS`
    could not be told from two labels, or from a list.

    Args:
        class_names: of the data set.
        several: whether a cell has two labels or more.
    """
    return any(
        not ENDS.isdisjoint(name) or (not several and not all(map(str.isalnum, name)))
        for name in class_names
    )


def label_cells(tags: Sequence[Sequence[str]], class_names: Sequence[str]) -> list[str]:
    """The cell of each image of a table.

    Args:
        tags: of each image.
        class_names: of the data set.
    """
    lists = needs_lists(class_names, several=any(len(names) > 1 for names in tags))
    return [json.dumps([*names], ensure_ascii=False, separators=(",", ":"))
            if lists and names else SEPARATOR.join(names) for names in tags]  # fmt: skip
