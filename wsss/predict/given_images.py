"""A user's images as a data set without tags, splits and masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from wsss.data.images import read_header
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.file_source import FileSource
from wsss.errors import Problem, Severity, WsssError
from wsss.predict.pixel_limit import any_size

Size = tuple[int, int]
"""Height and width in pixels."""


class GivenImages(FileSource):
    """Images of any size, which are read as for a run; there are no tags and no ground truth."""

    name = "images"

    def __init__(self, items: Sequence[Item], class_names: Sequence[str]) -> None:
        """Take images, as the validation split, since nothing learns from them; C class names."""
        self.root = Path.cwd()
        self.class_names = tuple(class_names)
        own = items if isinstance(items, ItemTable) else ItemTable.of(items, self.root)
        self._items = {TRAIN: own[:0], VAL: own}

    def read_image(self, item: Item) -> UInt8[np.ndarray, "h w 3"]:
        """The image as upright RGB; errors as for `Source`."""
        with any_size():
            return super().read_image(item)


def measure(items: Sequence[Item], max_megapixels: float) -> tuple[dict[str, Size], list[Problem]]:
    """Height and width of images by id, from their headers, and why others are left out.

    Args:
        items: images.
        max_megapixels: larger ones are left out.
    """
    sizes: dict[str, Size] = {}
    problems: list[Problem] = []
    for item in items:
        assert item.image is not None
        try:
            with any_size():
                height, width = read_header(item.image).size
        except WsssError as error:
            problems += [left_out(problem) for problem in error.problems]
            continue
        if height * width > max_megapixels * 1e6:
            problems.append(
                Problem(
                    str(item.image),
                    f"an image of {width} × {height} px, {height * width / 1e6:,.0f} megapixels",
                    f"at most max_megapixels={max_megapixels:g}",
                    "Raise it if memory suffices: 14 MB a megapixel.",
                    Severity.SKIPPED,
                )
            )
            continue
        sizes[item.id] = height, width
    return sizes, problems


def left_out(problem: Problem) -> Problem:
    """The problem as a reason for leaving an image out."""
    return Problem(problem.where, problem.came, problem.expected, problem.remedy, Severity.SKIPPED)
