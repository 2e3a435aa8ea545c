"""Pictures of a comparison: a sheet an image, and an overview of several."""

from collections.abc import Sequence

import cv2
import numpy as np

from wsss.explain.comparison.compare_image import Compared, Difference, Map
from wsss.explain.contact_sheet import (
    HEIGHT_PX,
    OtherImage,
    resized,
    shortened,
    stacked,
    text_line,
)
from wsss.report.overlays import Image, heat_overlay
from wsss.report.panels import GUTTER_PX, TITLE_PX, Panel, fit, strip
from wsss.report.signed_overlay import signed_overlay

Names = tuple[str, str]
"""What the two sides are called in pictures."""


def comparison_sheet(seen: Compared, names: Names, height_px: int = HEIGHT_PX) -> OtherImage:
    """A row for each class and pair of methods: image, both maps, their difference.

    The difference is red where the second map is higher, blue where the first is.

    Args:
        seen: the image with its differences, at least one.
        names: of the sides.
        height_px: height of the pictures.
    """
    height, width = fit(seen.image.shape[0], seen.image.shape[1], height_px)
    picture = resized(seen.image, height, width)
    return stacked([strip(_panels(picture, one, names)) for one in seen.differences])


def first_row(sheet: Image, image_size: tuple[int, int], height_px: int = HEIGHT_PX) -> OtherImage:
    """The first row of a sheet, which is of the class that is seen most differently.

    Args:
        sheet: of `comparison_sheet`.
        image_size: height and width of the image.
        height_px: as it was made with.
    """
    return np.asarray(sheet[: GUTTER_PX + TITLE_PX + fit(*image_size, height_px)[0]])


def overview(rows: Sequence[tuple[str, Image | None]]) -> OtherImage:
    """Pictures below each other, each under its caption; None is a caption alone."""
    widest = max((picture.shape[1] for _, picture in rows if picture is not None), default=1)
    parts = []
    for caption, picture in rows:
        parts.append(text_line(caption, widest, heading=picture is None))
        if picture is not None:
            parts.append(picture)
    return stacked(parts)


def _panels(picture: Image, one: Difference, names: Names) -> list[Panel]:
    """The image, both maps and their difference, each under what it is."""
    height, width = picture.shape[:2]
    first, second = (_small(heat, height, width) for heat in one.maps)
    titles = [
        f"image: {one.class_name}",
        f"{names[0]} {one.probabilities[0]:.2f}",
        f"{names[1]} {one.probabilities[1]:.2f}",
        f"{one.moved_share:.0%} moved; red: {names[1]}",
    ]
    if one.pair.first == one.pair.second:
        titles[0] += f", {one.pair.first}"
    pictures = [
        picture,
        heat_overlay(picture, first),
        heat_overlay(picture, second),
        signed_overlay(picture, second - first),
    ]
    return [
        Panel(shortened(title, width), shown) for title, shown in zip(titles, pictures, strict=True)
    ]


def _small(heat: Map, height: int, width: int) -> Map:
    return np.asarray(cv2.resize(heat.astype(np.float32), (width, height)))
