"""The choice of explained classes: named ones, or predicted ones."""

import re
from collections.abc import Sequence
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

    def choose(self, probabilities: Float[Tensor, " c"], multi_label: bool) -> tuple[int, ...]:
        """Class indices, each once: the named ones first, then by falling probability.

        Args:
            probabilities: of each class on the image.
            multi_label: whether an image can have several labels.
        """
        ranked = [int(index) for index in probabilities.argsort(descending=True, stable=True)]
        if self.named or self.top:
            return tuple(dict.fromkeys((*self.named, *ranked[: self.top])))
        present = [i for i in ranked if multi_label and probabilities[i] >= PRESENT]
        return tuple(present or ranked[:1])


def parse_classes(words: Sequence[str | int], class_names: Sequence[str]) -> ClassChoice:
    """The choice by names, indices 0…C-1 and `topN`, or by `predicted`.

    Names are whole names or synonyms of classes, in any case. A number is a class name where there
    is one of that name, else an index.

    Args:
        words: as written behind `classes=`, between commas.
        class_names: names of the C classes; synonyms between commas.

    Raises:
        WsssError: there is no such class, or none is asked for.
    """
    asked = [str(word).strip().lower() for word in words]
    if asked == [PREDICTED]:
        return ClassChoice()
    by_name = indices_by_name(class_names)
    if (name := ", ".join(asked)) in by_name:  # One that has commas itself.
        return ClassChoice((by_name[name],))
    named, top = [], 0
    for word in filter(None, asked):
        if word in by_name:
            named.append(by_name[word])
        elif word.isdecimal():
            named.append(_index(int(word), len(class_names)))
        elif match := _TOP.fullmatch(word):
            top = max(top, _top(int(match[1])))
        else:
            raise unknown_word(
                "classes", "class", word, list(by_name),
                "Correct the name, or give an index or `top3`.",
            )  # fmt: skip
    if not named and not top:
        raise user_error(
            "classes", "no class", f"names, indices, `topN` or `{PREDICTED}`",
            "Name some, or leave classes out.",
        )  # fmt: skip
    return ClassChoice(tuple(dict.fromkeys(named)), top)


def indices_by_name(class_names: Sequence[str]) -> dict[str, int]:
    """The index of each class by its name and by each of its synonyms, in lower case.

    A whole name goes before another class's synonym, and of two equal ones the first.
    """
    by_name: dict[str, int] = {}
    for index, name in enumerate(class_names):
        for synonym in (name, *name.split(",")):
            by_name.setdefault(synonym.strip().lower(), index)
    return by_name | {name.strip().lower(): index for index, name in enumerate(class_names)}


def _top(count: int) -> int:
    if 1 <= count <= MAX_TOP:
        return count
    raise user_error(
        "classes",
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
