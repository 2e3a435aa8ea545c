"""The choice of explained classes: named ones, or predicted ones."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from wsss.errors import unknown_word, user_error

PREDICTED = "predicted"
"""The word for the predicted classes."""
PRESENT = 0.5
"""Probability from which a multi-label network predicts a class."""
MAX_TOP = 100
"""Largest N of `topN`: a sheet has a row for each class, and memory holds all maps of a method."""
_TOP = re.compile(r"top(\d+)")


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """A rule for the classes of an image; without names and without `top`, the predicted ones."""

    named: tuple[int, ...] = ()
    """Class indices 0…C-1 that are always explained."""
    top: int = 0
    """Number of most probable classes added to them."""
    predicted: bool = False
    """Whether the predicted classes are added to them."""

    def choose(self, probabilities: Float[Tensor, " c"], multi_label: bool) -> tuple[int, ...]:
        """Class indices, each once: the named ones first, then by falling probability.

        Args:
            probabilities: of each class on the image.
            multi_label: whether an image can have several labels.
        """
        ranked = [int(index) for index in probabilities.argsort(descending=True, stable=True)]
        present: list[int] = []
        if self.predicted or not (self.named or self.top):
            present = [i for i in ranked if multi_label and probabilities[i] >= PRESENT]
            present = present or ranked[:1]
        return tuple(dict.fromkeys((*self.named, *present, *ranked[: self.top])))


def parse_classes(words: Sequence[str | int], class_names: Sequence[str]) -> ClassChoice:
    """The choice by names, indices 0…C-1, `topN` and `predicted`.

    Names are whole names or synonyms of classes, in any case. A number is a class name where there
    is one of that name, else an index.

    Args:
        words: as written behind `classes=`, between commas.
        class_names: names of the C classes; synonyms between commas.

    Raises:
        WsssError: there is no such class, or none is asked for.
    """
    asked = [str(word).strip().lower() for word in words]
    by_name = indices_by_name(class_names)
    if (name := ", ".join(asked)) in by_name:  # One that has commas itself.
        return ClassChoice((by_name[name],))
    named, top, predicted = [], 0, False
    for word in filter(None, asked):
        if word in by_name:
            named.append(by_name[word])
        elif word.isdecimal():
            named.append(_index(int(word), len(class_names)))
        elif (choice := ranked_choice(word)) is not None:
            top, predicted = max(top, choice.top), predicted or choice.predicted
        else:
            raise unknown_word(
                "classes", "class", word, offered_names(by_name),
                f"Correct the name, or give an index, `{PREDICTED}` or `top3`.",
            )  # fmt: skip
    if not named and not top and not predicted:
        raise user_error(
            "classes", "no class", f"names, indices, `topN` or `{PREDICTED}`",
            "Name some, or leave classes out.",
        )  # fmt: skip
    return ClassChoice(tuple(dict.fromkeys(named)), top, predicted)


def ranked_choice(word: str, where: str = "classes") -> ClassChoice | None:
    """The choice that `predicted` or `topN` means, in lower case; None for other words.

    Raises:
        WsssError: N is out of range.
    """
    if word == PREDICTED:
        return ClassChoice(predicted=True)
    match = _TOP.fullmatch(word)
    return ClassChoice(top=_top(int(match[1]), where)) if match else None


def offered_names(by_name: Mapping[str, int]) -> list[str]:
    """Names to offer: synonyms alone, and not the whole names that join them by commas."""
    return [name for name in by_name if "," not in name] or list(by_name)


def indices_by_name(class_names: Sequence[str]) -> dict[str, int]:
    """The index of each class by its name and by each of its synonyms, in lower case.

    A whole name goes before another class's synonym, and of two equal ones the first.
    """
    by_name: dict[str, int] = {}
    for index, name in enumerate(class_names):
        for synonym in (name, *name.split(",")):
            by_name.setdefault(synonym.strip().lower(), index)
    return by_name | {name.strip().lower(): index for index, name in enumerate(class_names)}


def _top(count: int, where: str) -> int:
    if 1 <= count <= MAX_TOP:
        return count
    raise user_error(
        where,
        f"top{count}",
        f"top1…top{MAX_TOP}",
        "Ask for fewer or at least one, or name classes.",
    )


def _index(index: int, num_classes: int) -> int:
    if index < num_classes:
        return index
    raise user_error(
        "classes",
        f"class index {index}",
        f"0…{num_classes - 1}, for the classifier has {num_classes} classes",
        "Correct the index; the first class is 0.",
    )
