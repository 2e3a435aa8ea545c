"""What separates the labels in the cells of a table, decided from all of its cells together."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto

WORDS = {"pipe": "|", "semicolon": ";", "comma": ",", "space": " ", "tab": "\t", "line": "\n"}
"""Names of separators, which no shell takes for something else."""
NONE, LIST = "none", "list"
"""Cells that are one class each, and cells that are lists of JSON or Python."""
WHOLE = ""
"""The separator of cells that are one class each."""

_CERTAIN = ("|", "\n")
"""Signs that no name contains."""
_TRIED = (";", ",")
_JOINTS = (" and ", "&", "+", "/", " ", "-", "_")
"""What may join labels, but is part of many names as well."""
_ENTITY = re.compile(r"&#?\w+;")
"""A character of HTML, whose `;` separates nothing."""


class Verdict(Enum):
    """Whether a sign separates labels."""

    SPLIT = auto()
    WHOLE = auto()
    UNCLEAR = auto()


class UnclearError(Exception):
    """Cells that can be read in two ways."""

    def __init__(self, cell: str, separator: str) -> None:
        """Name one of the cells, and the sign that may separate labels."""
        self.cell, self.separator = cell, separator


def separator_of(word: str) -> str:
    """The sign of a word: `comma` is `,`, `none` is empty; other words stand for themselves."""
    return WHOLE if word == NONE else WORDS.get(word, word)


def split(cell: str, separator: str) -> tuple[str, ...]:
    """The labels in a cell, stripped, without blank and repeated ones."""
    if not separator:
        parts: Sequence[str] = [cell]
    else:
        parts = cell.split(None if separator == " " else separator)
    return tuple(dict.fromkeys(name for part in parts if (name := part.strip())))


def find_separator(cells: Collection[str], known: Collection[str] | None) -> str:
    """The sign between labels; empty if each cell is one class.

    A `|` always separates, and so do a line end in a cell and a `;`. A `,` does where parts of
    joint cells stand alone or recur, and no joint cell is without a part seen elsewhere; where no
    part is seen elsewhere it belongs to the names. White space separates only where every word
    stands alone elsewhere or is a number. Other signs never do, but where the names that they join
    trade places the cells are unclear. With a list of classes, these decide.

    Args:
        cells: the distinct cells that are not blank.
        known: names of the classes; None where there is no list of them.

    Raises:
        UnclearError: the cells can be read in two ways.
    """
    for sign in _CERTAIN:
        if any(sign in cell for cell in cells):
            return sign
    signs = [sign for sign in _TRIED if any(sign in _ENTITY.sub("", cell) for cell in cells)]
    classes = frozenset(known or ())
    for sign in signs:
        verdict = _by_cells(cells, sign) if known is None else _by_classes(cells, sign, classes)
        if verdict is Verdict.UNCLEAR:
            raise UnclearError(_doubtful_cell(cells, sign, classes), sign)
        if verdict is Verdict.SPLIT:
            return sign
    if known is None and (joint := next((j for j in _JOINTS if _trade_places(cells, j)), None)):
        raise UnclearError(_doubtful_cell(cells, joint, classes), joint)
    if signs:
        return WHOLE
    verdict = _words_by_cells(cells) if known is None else _words_by_classes(cells, classes)
    if verdict is Verdict.UNCLEAR:
        raise UnclearError(_doubtful_cell(cells, " ", classes), " ")
    return " " if verdict is Verdict.SPLIT else WHOLE


def joint_cells(cells: Collection[str], separator: str) -> list[str]:
    """The cells that a separator would split, in order."""
    return [cell for cell in cells if split(cell, separator) != (cell,)]


def _by_cells(cells: Collection[str], sign: str) -> Verdict:
    """Whether a sign separates labels, where the cells alone can tell."""
    if sign == ";":
        return Verdict.SPLIT
    parts = {cell: split(cell, sign) for cell in cells}
    joint = [names for cell, names in parts.items() if names != (cell,)]
    seen = Counter(name for names in parts.values() for name in names)
    if not any(seen[name] > 1 for names in joint for name in names):
        all_alone = all(len(names) == 1 for names in joint)
        return Verdict.SPLIT if all_alone else Verdict.WHOLE
    linked = all(any(seen[name] > 1 for name in names) for names in joint)
    return Verdict.SPLIT if linked and _is_proven(parts, seen) else Verdict.UNCLEAR


def _is_proven(parts: Mapping[str, Sequence[str]], seen: Mapping[str, int]) -> bool:
    """Whether a joint cell has one part or more that stand alone, while the others recur."""
    alone = {names[0] for names in parts.values() if len(names) == 1}
    return any(
        len(names) > 1
        and not alone.isdisjoint(names)
        and all(name in alone or seen[name] > 1 for name in names)
        for names in parts.values()
    )


def _by_classes(cells: Collection[str], sign: str, classes: frozenset[str]) -> Verdict:
    """Whether a sign separates labels, where the classes are known."""
    joint = joint_cells(cells, sign)
    whole = [cell in classes for cell in joint]
    parts = [set(split(cell, sign)) for cell in joint]
    if any(whole):
        in_parts = any(
            names <= classes for names, is_class in zip(parts, whole, strict=True) if is_class
        )
        others = any(names & classes for names, one in zip(parts, whole, strict=True) if not one)
        return Verdict.UNCLEAR if in_parts or others else Verdict.WHOLE
    return Verdict.SPLIT if any(names & classes for names in parts) else Verdict.WHOLE


def _words_by_cells(cells: Collection[str]) -> Verdict:
    """Whether white space separates labels: all words then stand alone in other cells.

    Of `haze primary` and `haze primary water` the one is likely part of the other, though no word
    stands alone.
    """
    words = {cell: split(cell, " ") for cell in cells}
    if all(name.isdecimal() for names in words.values() for name in names):
        return _by_numbers(words)
    alone = {names[0] for names in words.values() if len(names) == 1}
    joint = [set(names) for cell, names in words.items() if names != (cell,)]
    in_alone = [names <= alone for names in joint]
    if in_alone and all(in_alone):
        return Verdict.SPLIT
    if any(in_alone) or _is_proven(
        words, Counter(one for names in words.values() for one in names)
    ):
        return Verdict.UNCLEAR
    sets = {frozenset(names) for names in joint}
    if len(sets) < len(joint):  # The same words in another order.
        return Verdict.UNCLEAR
    vocabulary = {name for names in joint for name in names}
    if len(joint) > len(vocabulary) or _any_inside_another(sets):
        return Verdict.UNCLEAR
    return Verdict.WHOLE


def _trade_places(cells: Collection[str], sign: str) -> bool:
    """Whether the parts of joint cells all recur, and one is first here and not there.

    So are labels that are joined, `cat/dog`, `cat/bird`, `bird/dog`. In names such as `animal/cat`
    and `animal/dog` parts keep their place; numbers, as in dates, are no names.
    """
    joint = [names for cell in cells if len(names := split(cell, sign)) > 1]
    seen = Counter(name for names in joint for name in names)
    if not joint or any(count == 1 or not _has_letter(name) for name, count in seen.items()):
        return False
    return not {names[0] for names in joint}.isdisjoint(n for names in joint for n in names[1:])


def _has_letter(name: str) -> bool:
    return any(letter.isalpha() for letter in name)


def _by_numbers(words: Mapping[str, Sequence[str]]) -> Verdict:
    """Numbers are labels, `16 0` beside `5`, unless they may be a 0 or 1 for every class."""
    if all(len(names) == 1 and cell == names[0] for cell, names in words.items()):
        return Verdict.WHOLE
    repeats = any(len(names) < len(cell.split()) for cell, names in words.items())
    are_marks = {name for names in words.values() for name in names} <= {"0", "1"}
    return Verdict.UNCLEAR if repeats or are_marks else Verdict.SPLIT


def _any_inside_another(sets: Collection[frozenset[str]]) -> bool:
    """Whether one of the sets, of two words or more, is a part of another."""
    by_word: dict[str, set[frozenset[str]]] = {}
    for names in sets:
        for name in names:
            by_word.setdefault(name, set()).add(names)
    return any(
        len(names) > 1
        and any(names < other for other in min((by_word[name] for name in names), key=len))
        for names in sets
    )


def _words_by_classes(cells: Collection[str], classes: frozenset[str]) -> Verdict:
    """Whether white space separates labels, where the classes are known.

    A class that is listed with the space in its name is one.
    """
    joint = [cell for cell in joint_cells(cells, " ") if cell not in classes]
    in_words = [set(split(cell, " ")) <= classes for cell in joint]
    if not any(in_words):
        return Verdict.WHOLE
    some_whole = len(joint) < len(joint_cells(cells, " "))
    return Verdict.SPLIT if all(in_words) and not some_whole else Verdict.UNCLEAR


def _doubtful_cell(cells: Collection[str], sign: str, classes: frozenset[str]) -> str:
    """The cell to show: one that is a class, else one with a part that is a whole cell."""
    joint = joint_cells(cells, sign)
    listed = [cell for cell in joint if cell in classes]
    whole = set(cells) | classes
    partly = [cell for cell in joint if whole & set(split(cell, sign))]
    return (listed or partly or joint)[0]
