"""The sheet of an image: a row a class, a column a method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from wsss.report.overlays import Image, heat_overlay
from wsss.report.panels import GUTTER_PX, TITLE_FONT_PX, TITLE_PX, Panel, fit, strip

HEIGHT_PX = 240
"""Height of the pictures of a sheet."""
MAPS_PER_LINE = 6
"""Most maps side by side; those of more methods go on below, under the same column."""
ELLIPSIS = "…"
HEADING_PX = 4
"""By how much letters of a heading are larger."""

OtherImage = UInt8[np.ndarray, "H W 3"]
"""A picture of another size than the one it is made from."""


@dataclass(frozen=True, slots=True)
class Row:
    """One class of an image, with its maps."""

    class_name: str
    probability: float
    maps: Mapping[str, Float[np.ndarray, "h w"]]
    """Map in [0, 1] by the name of its method."""


def overlay(image: Image, heat: Float[np.ndarray, "H W"]) -> OtherImage:
    """The grey image, at the size of `heat`, with the map in [0, 1] over it."""
    return heat_overlay(resized(image, *heat.shape), heat)


def sheet(image: Image, rows: Sequence[Row], height_px: int = HEIGHT_PX) -> OtherImage:
    """The image and its maps side by side, under their names; a row for each class.

    The image stands under "image", the class and its probability. The maps of more than
    `MAPS_PER_LINE` methods are in several lines, as even as possible.

    Args:
        image: RGB, at any size.
        rows: maps at any size.
        height_px: height of the pictures.
    """
    height, width = fit(image.shape[0], image.shape[1], height_px)
    picture = resized(image, height, width)
    strips = []
    for row in rows:
        panels = []
        for method, heat in row.maps.items():
            small = cv2.resize(heat.astype(np.float32), (width, height))
            panels.append(Panel(shortened(method, width), heat_overlay(picture, np.asarray(small))))
        lines = max(1, -(-len(panels) // MAPS_PER_LINE))
        columns = -(-len(panels) // lines)
        first = Panel(_heading(row, width), picture)
        blank = Panel("", np.full_like(picture, 255))
        for line in range(lines):
            some = panels[line * columns : (line + 1) * columns]
            strips.append(strip([blank if line else first, *some]))
    return stacked(strips)


def resized(image: Image, height: int, width: int) -> OtherImage:
    """An RGB image at another size: by area when shrinking, else bilinear."""
    shrinks = height < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), dtype=np.uint8)


def shortened(text: str, width_px: int) -> str:
    """Text that is no wider than `width_px` as a title of a panel, with an ellipsis if cut."""
    font = ImageFont.load_default(size=TITLE_FONT_PX)
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + ELLIPSIS) > width_px:
        text = text[:-1]
    return text.rstrip(" ,") + ELLIPSIS


def text_line(text: str, width_px: int, *, heading: bool = False) -> OtherImage:
    """A line of text on white, shortened to its width; a heading is larger."""
    size = TITLE_FONT_PX + HEADING_PX * heading
    height = TITLE_PX + HEADING_PX * heading
    canvas = Pillow.new("RGB", (width_px, height), "white")
    font = ImageFont.load_default(size=size)
    place = (0, height // 2)
    ImageDraw.Draw(canvas).text(place, shortened(text, width_px), "black", font, anchor="lm")
    return np.array(canvas)


def _heading(row: Row, width_px: int) -> str:
    """That this is the image, its class and probability; a long name is shortened."""
    probability = f" {row.probability:.2f}"
    reserved = ImageFont.load_default(size=TITLE_FONT_PX).getlength(probability)
    return shortened(f"image: {row.class_name}", int(width_px - reserved)) + probability


def stacked(pictures: Sequence[Image]) -> OtherImage:
    """Pictures below each other on white."""
    width = max(picture.shape[1] for picture in pictures)
    parts = [
        np.pad(p, ((0, GUTTER_PX), (0, width - p.shape[1]), (0, 0)), constant_values=255)
        for p in pictures
    ]
    return np.concatenate(parts)
