"""What separates the labels in the cells of a table, decided from all of its cells together."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto

WORDS = {"pipe": "|", "semicolon": ";", "comma": ",", "space": " ", "tab": "\t"}
"""Names of separators, which no shell takes for something else."""
NONE, LIST = "none", "list"
"""Cells that are one class each, and cells that are lists of JSON or Python."""
WHOLE = ""
"""The separator of cells that are one class each."""

_TRIED = (";", ",")


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

    A `|` always separates. A `;` or `,` does where parts of a cell stand alone in others, and none
    is without a part seen elsewhere; where no part is seen elsewhere it belongs to the name. White
    space separates only where every word is a class. With a list of classes, these decide.

    Args:
        cells: the distinct cells that are not blank.
        known: names of the classes; None where there is no list of them.

    Raises:
        UnclearError: the cells can be read in two ways.
    """
    if any("|" in cell for cell in cells):
        return "|"
    signs = [sign for sign in _TRIED if any(sign in cell for cell in cells)]
    judge: Callable[[Collection[str], str, frozenset[str]], Verdict]
    judge = _by_cells if known is None else _by_classes
    classes = frozenset(known or ())
    verdicts = {sign: judge(cells, sign, classes) for sign in signs}
    splitting = [sign for sign, verdict in verdicts.items() if verdict is Verdict.SPLIT]
    unclear = [sign for sign, verdict in verdicts.items() if verdict is Verdict.UNCLEAR]
    if len(splitting) == 1 and not unclear:
        return splitting[0]
    if doubtful := unclear or splitting:
        raise UnclearError(_doubtful_cell(cells, doubtful[0], classes), doubtful[0])
    if signs:
        return WHOLE
    verdict = _words_by_cells(cells) if known is None else _words_by_classes(cells, classes)
    if verdict is Verdict.UNCLEAR:
        raise UnclearError(_doubtful_cell(cells, " ", classes), " ")
    return " " if verdict is Verdict.SPLIT else WHOLE


def joint_cells(cells: Collection[str], separator: str) -> list[str]:
    """The cells that a separator would split, in order."""
    return [cell for cell in cells if split(cell, separator) != (cell,)]


def _by_cells(cells: Collection[str], sign: str, _: frozenset[str]) -> Verdict:
    """Whether a sign separates labels, where the cells alone can tell."""
    parts = {cell: split(cell, sign) for cell in cells}
    alone = {names[0] for names in parts.values() if len(names) == 1}
    seen = Counter(name for names in parts.values() for name in names)
    joint = [names for cell, names in parts.items() if names != (cell,)]
    elsewhere = [any(seen[name] > 1 for name in names) for names in joint]
    if not any(elsewhere):
        all_alone = all(len(names) == 1 for names in joint)
        return Verdict.SPLIT if all_alone else Verdict.WHOLE
    proven = any(set(names) <= alone for names in joint)
    return Verdict.SPLIT if proven and all(elsewhere) else Verdict.UNCLEAR


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
    alone = {names[0] for names in words.values() if len(names) == 1}
    joint = [set(names) for cell, names in words.items() if names != (cell,)]
    in_alone = [names <= alone for names in joint]
    if in_alone and all(in_alone):
        return Verdict.SPLIT
    if any(in_alone):
        return Verdict.UNCLEAR
    sets = {frozenset(names) for names in joint}
    if len(sets) < len(joint):  # The same words in another order.
        return Verdict.UNCLEAR
    vocabulary = {name for names in joint for name in names}
    if len(joint) > len(vocabulary) or _any_inside_another(sets):
        return Verdict.UNCLEAR
    return Verdict.WHOLE


def _any_inside_another(sets: Collection[frozenset[str]]) -> bool:
    """Whether one of the sets, of two words or more, is a part of another."""
    by_word: dict[str, set[frozenset[str]]] = {}
    for names in sets:
        for name in names:
            by_word.setdefault(name, set()).add(names)
    return any(
        len(names) > 1 and len(set.intersection(*(by_word[name] for name in names))) > 1
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
