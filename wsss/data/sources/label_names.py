"""Classes and tags of data sets whose samples name their labels themselves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss.data.sources.lists import read_class_names
from wsss.errors import user_error
from wsss.wording import did_you_mean

Label = str | int
"""The name of a class, or its index from 0."""


def as_labels(value: Any) -> tuple[Label, ...]:
    """The labels in a sample's value: one or a list of them; none in None and empty text."""
    if value is None or value == "":
        return ()
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(one if isinstance(one, int) else str(one).strip() for one in several)


def class_names(
    labels: Mapping[str, Sequence[Label]], classes: Path | None, known: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names of the classes: those of a list, or that are known, or all that samples name, sorted.

    Args:
        labels: of each sample, by its id.
        classes: a `classes.txt`, whose first line is the background; used if it is there.
        known: by the data set.

    Raises:
        WsssError: there is no list for labels that are numbers.
    """
    if classes is not None and classes.is_file():
        names, problems = read_class_names(classes)
        if problems:
            raise user_error(classes, problems[0].came, problems[0].expected, problems[0].remedy)
        return names
    if known:
        return tuple(known)
    every = {label for one in labels.values() for label in one}
    if numbers := [label for label in every if isinstance(label, int)]:
        raise user_error(
            classes or "classes", f"labels that are numbers, such as {numbers[0]}, without names",
            "a list of the classes, the background first",
            "Write one: a line `background`, then one class a line, number 0 first.",
        )  # fmt: skip
    return tuple(sorted(map(str, every)))


def mask_values(
    labels: Mapping[str, Sequence[Label]], names: Sequence[str], where: object
) -> dict[str, tuple[int, ...]]:
    """Mask values 1…C of each sample's labels, ascending.

    Args:
        labels: of each sample, by its id.
        names: of the C classes.
        where: the data set, for messages.

    Raises:
        WsssError: a label is no class.
    """
    values = {name: value for value, name in enumerate(names, 1)}
    found: dict[str, tuple[int, ...]] = {}
    for item_id, own in labels.items():
        numbers = set()
        for label in own:
            number = label + 1 if isinstance(label, int) else values.get(label, 0)
            if not 1 <= number <= len(names):
                raise user_error(
                    f"{where}, sample '{item_id}'", f"the label {label!r}",
                    f"one of the {len(names)} classes{did_you_mean(str(label), names)}",
                    "Correct the sample, or the list of classes.",
                )  # fmt: skip
            numbers.add(number)
        found[item_id] = tuple(sorted(numbers))
    return found
