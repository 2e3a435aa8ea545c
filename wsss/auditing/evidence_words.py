"""The numbers that a finding follows from, in words."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from wsss.auditing.finding_pictures import BOX
from wsss.report import formatting as text

FLAGS = {
    "different_tags": "the two have different tags",
    "across_splits": "one is in train, the other in val",
}
"""Numbers that are 0 or 1: what 1 means."""


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _plain(value: float) -> str:
    """A number with three digits after the point, without zeros at its end."""
    return text.number(round(value, 3))


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a number is called in the page, what it means, and how it is written."""

    name: str
    meaning: str = ""
    written: Callable[[float], str] = _percent


QUANTITIES: Mapping[str, Quantity] = {
    "best_cells": Quantity(
        "probability",
        "of the class, by the head of the image's best part: the tenth that speaks for the class "
        "most; it has not learned this image's tags",
    ),
    "untagged": Quantity(
        "most probable class without a tag", "the same probability, of that class"
    ),
    "with_tag": Quantity("mean with the tag", "that probability over all images with the tag"),
    "without_tag": Quantity("mean without it", "that probability over all images without the tag"),
    "probability": Quantity(
        "given the whole image",
        "the probability of the class by the head of the whole image, which has not learned this "
        "image's tags either",
    ),
    "compactness": Quantity(
        "map in one place", "100 % if the map is one point, 0 % if it is spread over the image"
    ),
    "erased_probability": Quantity(
        "tagged objects painted over",
        "the probability by the head of the whole image that is left when the tagged objects are "
        "filled in from around them",
    ),
    "filled_probability": Quantity(
        "object painted over",
        "the probability by the head of the whole image that is left when the object is filled in "
        "from around it",
    ),
    "survival": Quantity(
        "told without the object",
        "how often an image of the class whose object is painted over is still more probable than "
        "an image without the class; 50 % is chance",
    ),
    "outside": Quantity(
        "map beside the object", "the share of the class's map outside of its pseudo mask"
    ),
    "together": Quantity("together", "the share of the rarer class's images that show both"),
    "images_with_both": Quantity("images of both", "their number", lambda value: f"{value:.0f}"),
    "map_overlap": Quantity("maps overlap", "100 % if the maps of the two classes are the same"),
    "chance": Quantity(
        "by chance",
        "the probability that so many images show both although the classes have nothing to do "
        "with each other",
        lambda value: f"{value:.2g}",
    ),
    "correlation": Quantity(
        "alike", "the correlation of the pictures: 1 is the same", lambda value: f"{value:.2f}"
    ),
    "share_of_class": Quantity("images of the class with it", "the share with the framed part"),
    "share_of_others": Quantity("other images with it", "the share with the framed part"),
}


def evidence_words(evidence: Mapping[str, float]) -> list[tuple[str, str]]:
    """Name and value of each number; a flag has no value, a box is drawn instead."""
    told = []
    for name, value in evidence.items():
        if name in BOX:
            continue
        if name in FLAGS:
            if value:
                told.append((FLAGS[name], ""))
            continue
        one = QUANTITIES.get(name) or Quantity(name.replace("_", " "), written=_plain)
        told.append((one.name, one.written(value)))
    return told


def meanings(names: Iterable[str]) -> list[tuple[str, str]]:
    """What numbers are called and what they mean, each once; those without a meaning are left out.

    Args:
        names: of numbers, as in the evidence of findings.
    """
    known = (QUANTITIES[name] for name in dict.fromkeys(names) if name in QUANTITIES)
    return [(one.name, one.meaning) for one in known]
