"""Inspection of one image and its mask."""

from dataclasses import dataclass, replace

import numpy as np

from wsss.data.images import read_header
from wsss.data.sample import VOID_LABEL, Item
from wsss.data.source import Source
from wsss.errors import Problem, Severity, WsssError
from wsss.files import StorageError

MIN_SIDE_PX = 16
"""Images with a shorter side are left out."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Size, kind and problems of one image and its mask."""

    id: str
    height: int = 0
    """Pixels, upright; 0 where the image could not be decoded."""
    width: int = 0
    conversions: tuple[str, ...] = ()
    """Differences of the file from plain RGB."""
    has_mask: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def decoded(self) -> bool:
        """Whether the image could be read."""
        return self.height > 0

    @property
    def usable(self) -> bool:
        """Whether the image can take part in a run."""
        return all(problem.severity != Severity.SKIPPED for problem in self.problems)


def inspect_item(source: Source, item: Item) -> Inspection:
    """Read an image and its mask to find their problems; no pixels are kept."""
    try:
        conversions = read_header(item.image).conversions if item.image else ()
        height, width, _ = source.read_image(item).shape
    except StorageError:  # It concerns all images.
        raise
    except WsssError as error:
        skipped = (replace(problem, severity=Severity.SKIPPED) for problem in error.problems)
        return Inspection(item.id, problems=tuple(skipped))
    has_mask, problems = _inspect_mask(source, item)
    if min(height, width) < MIN_SIDE_PX:
        problems.append(
            Problem(
                str(item.image or item.id),
                f"an image of {width} × {height} px",
                f"at least {MIN_SIDE_PX} px a side",
                "Images this small are left out; remove or replace it.",
                Severity.SKIPPED,
            )
        )
    return Inspection(item.id, height, width, conversions, has_mask, tuple(problems))


def _inspect_mask(source: Source, item: Item) -> tuple[bool, list[Problem]]:
    """Whether an item has a mask, and the problems of the mask."""
    try:
        mask = source.read_mask(item)
    except StorageError:  # It concerns all images.
        raise
    except WsssError as error:
        way_out = " Or remove the masks folder to run without evaluation."
        return True, [
            replace(problem, remedy=problem.remedy + way_out) for problem in error.problems
        ]
    if mask is None:
        return False, []
    shows_class = np.any((mask > 0) & (mask != VOID_LABEL))
    if shows_class or not item.labels:
        return True, []
    return True, [
        Problem(
            str(item.mask or item.id),
            "no pixel of any class, though the image has labels",
            f"pixels of 1…{len(source.class_names)}, the classes' numbers",
            f"See whether objects are drawn as {VOID_LABEL}: that value is void and never counts.",
            Severity.WARNING,
        )
    ]
