"""The numbers that a finding follows from, in words."""

from collections.abc import Callable, Mapping

from wsss.auditing.finding_pictures import BOX
from wsss.report import formatting as text

FLAGS = {
    "different_tags": "the two have different tags",
    "across_splits": "one is in train, the other in val",
}
"""Numbers that are 0 or 1: what 1 means."""
Format = Callable[[float], str]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


NAMES: Mapping[str, tuple[str, Format]] = {
    "best_cells": ("probability given the best cells", _percent),
    "with_tag": ("its mean over images with the tag", _percent),
    "without_tag": ("its mean over images without the tag", _percent),
    "probability": ("probability given the whole image", _percent),
    "compactness": ("compactness of the map", _percent),
    "erased_probability": ("tagged objects filled in", _percent),
    "filled_probability": ("object filled in", _percent),
    "survival": ("still told from others, object filled in", _percent),
    "outside": ("evidence outside the object", _percent),
    "together": ("of the rarer class's images", _percent),
    "images_with_both": ("images with both", lambda x: f"{x:.0f}"),
    "map_overlap": ("overlap of the maps", _percent),
    "chance": ("probability by chance", lambda x: f"{x:.2g}"),
    "correlation": ("correlation", lambda x: f"{x:.2f}"),
    "share_of_class": ("of the class's pictures", _percent),
    "share_of_others": ("of other pictures", _percent),
}
"""What a number is called in the page, and how it is written."""


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
        called, written = NAMES.get(name, (name.replace("_", " "), _plain))
        told.append((called, written(value)))
    return told


def _plain(value: float) -> str:
    """A number with three digits after the point, without zeros at its end."""
    return text.number(round(value, 3))
