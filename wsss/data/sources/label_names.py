"""Classes and tags of data sets whose samples name their labels themselves."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from wsss.data.sources.label_table import Label
from wsss.data.sources.lists import read_class_names
from wsss.errors import user_error
from wsss.wording import did_you_mean


def as_labels(value: Any) -> tuple[Label, ...]:
    """The labels in a sample's value: one or a list of them; none in None and empty text."""
    if value is None or value == "":
        return ()
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(one if isinstance(one, int) else str(one).strip() for one in several)


def class_names(
    different: Collection[Label], classes: Path | None, known: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names of the classes: those of a list, or that are known, or all that samples name, sorted.

    Args:
        different: all labels of samples, once each.
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
    if numbers := [label for label in different if isinstance(label, int)]:
        raise user_error(
            classes or "classes", f"labels that are numbers, such as {numbers[0]}, without names",
            "a list of the classes, the background first",
            "Write one: a line `background`, then one class a line, number 0 first.",
        )  # fmt: skip
    return tuple(sorted(map(str, different)))


def mask_values(
    labels: Iterable[tuple[Label, ...]], ids: Sequence[str], names: Sequence[str], where: object
) -> list[tuple[int, ...]]:
    """Mask values 1…C of each sample's labels, ascending; samples with the same labels share them.

    Args:
        labels: of each sample.
        ids: of the samples.
        names: of the C classes.
        where: the data set, for messages.

    Raises:
        WsssError: a label is no class.
    """
    values = {name: value for value, name in enumerate(names, 1)}

    def value_of(label: Label) -> int:
        number = label + 1 if isinstance(label, int) else values.get(label, 0)
        return number if 1 <= number <= len(names) else 0

    @cache
    def together(own: tuple[Label, ...]) -> tuple[int, ...]:
        return tuple(sorted({value_of(label) for label in own}))

    found: list[tuple[int, ...]] = []
    for own in labels:
        numbers = together(own)
        if numbers and not numbers[0]:
            (wrong, *_) = (label for label in own if not value_of(label))
            raise user_error(
                f"{where}, sample '{ids[len(found)]}'", f"the label {wrong!r}",
                f"one of the {len(names)} classes{did_you_mean(str(wrong), names)}",
                "Correct the sample, or the list of classes.",
            )  # fmt: skip
        found.append(numbers)
    return found
