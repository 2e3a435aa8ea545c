"""Cells that are lists of JSON or Python, as data frames write them."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from wsss.data.sources.folder.tags.grid import text_of
from wsss.data.sources.folder.tags.tag_table import Request
from wsss.errors import user_error

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_EMPTY_SET = "set()"


def all_lists(texts: Iterable[str]) -> bool:
    """Whether cells are meant as lists, be it that some are damaged."""
    cells = list(texts)
    return all(map(_in_brackets, cells)) and any(
        cell[0] == "[" or evaluated(cell) is not None for cell in cells
    )


def refuse_some_lists(texts: dict[str, str], request: Request) -> None:
    """Refuse cells of which some are lists and some are not, and dictionaries.

    Raises:
        WsssError: there are such cells.
    """
    marked = [cell for cell in texts if cell[0] in "[{" and _in_brackets(cell)]
    if records := [cell for cell in marked if isinstance(_literal(cell), dict)]:
        raise user_error(
            request.path,
            f"{texts[records[0]]}: `{records[0]:.80}`",
            "names of classes, or lists of them",
            "Write the names alone: `cat|dog`.",
        )
    lists = [cell for cell in marked if evaluated(cell)]
    if lists:
        other = next(cell for cell in texts if not _in_brackets(cell))
        raise user_error(
            request.path,
            f"{texts[other]}: `{other:.80}`, but {texts[lists[0]]}: `{lists[0]:.80}`",
            "either lists in all cells, or in none",
            "Write all labels in the same way; an image without objects has a blank cell or `[]`.",
        )


def refuse_marks(lists: Mapping[str, Sequence[object]], request: Request) -> None:
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


def parsed(cell: str, place: str, request: Request) -> tuple[str, ...]:
    """The labels of a cell that is a list of JSON or Python.

    Raises:
        WsssError: it is none, or holds something else than names.
    """
    values = evaluated(cell)
    if values is None:
        raise user_error(
            request.path,
            f"{place}: `{cell:.80}` is no list of JSON or Python",
            'lists with quotes and commas, such as `["cat", "dog"]`',
            "Correct this cell, or separate labels by `|`: `cat|dog`.",
        )
    return labels_of_list(values, place, request)


def evaluated(cell: str) -> Sequence[object] | None:
    """The values of a list of JSON, or of a list, tuple or set of Python; None if it is none."""
    values = _literal(cell)
    if isinstance(values, set):
        values = sorted(values, key=str)
    return values if isinstance(values, list | tuple) else None


def labels_of_list(values: Sequence[object], place: str, request: Request) -> tuple[str, ...]:
    """The labels of a list, as text without repeats.

    Raises:
        WsssError: it holds something else than names.
    """
    odd = [value for value in values if not isinstance(value, str | int)]
    if odd:
        raise user_error(
            request.path,
            f"{place}: `{odd[0]!r:.80}` in a list of labels",
            "names of classes",
            'Write a list of names: `["cat", "dog"]`.',
        )
    return tuple(dict.fromkeys(name for value in values if (name := text_of(value))))


def _literal(cell: str) -> object:
    """The value of JSON or of a literal of Python; None if it is none.

    NumPy prints `['cat' 'dog']`, which Python would take for `['catdog']`.
    """
    try:
        return json.loads(cell)
    except ValueError:
        try:
            if re.search(r"""['"]\s*['"]""", cell) and _adjacent_strings(cell):
                return None
            return ast.literal_eval(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
            return None


def _adjacent_strings(cell: str) -> bool:
    """Whether two strings follow each other without a comma."""
    tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
    kinds = [token.type for token in tokens if token.type != tokenize.NL]
    return any(one == other == tokenize.STRING for one, other in pairwise(kinds))


def _in_brackets(cell: str) -> bool:
    return _BRACKETS.get(cell[0]) == cell[-1] or cell == _EMPTY_SET


def _is_mark(value: object) -> bool:
    return isinstance(value, int | float) and value in (0, 1)
