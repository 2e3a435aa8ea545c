"""An image with its predicted classes in colours, which a legend below it names."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from wsss.data.resizing import resize_mask, shrink
from wsss.predict.notes import label_counts
from wsss.report.overlays import label_overlay

MAX_SIDE_PX = 1600
"""Overlays of larger images are reduced to it."""
FONT_PX = 13
"""At least; pictures of over 1000 px have larger letters."""
NO_CLASS = "no class"


def overlay(
    image: UInt8[np.ndarray, "h w 3"],
    mask: UInt8[np.ndarray, "h w"],
    class_names: Sequence[str],
) -> UInt8[np.ndarray, "H W 3"]:
    """The grey image, at most `MAX_SIDE_PX` large, with its classes in VOC's colours, and a legend.

    The legend below has the colour, the name and the percentage of area of every class, the largest
    first.

    Args:
        image: RGB.
        mask: 0 background, 1…C classes.
        class_names: names of the C classes.
    """
    small = shrink(image, MAX_SIDE_PX)
    picture = label_overlay(small, resize_mask(mask, (small.shape[0], small.shape[1])))
    counts = label_counts(mask)
    found = [label for label in np.argsort(-counts, kind="stable").tolist() if label]
    entries = [
        (label, f"{class_names[label - 1]} {_percent(100 * counts[label] / mask.size)}")
        for label in found
        if counts[label]
    ]
    legend = _legend(entries, picture.shape[1])
    width = legend.shape[1]
    padding = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.concatenate([np.pad(picture, padding, constant_values=255), legend])


def _seen_color(label: int) -> tuple[int, int, int]:
    """The colour of a class over medium grey: it is lightened."""
    grey = np.full((1, 1, 3), 128, dtype=np.uint8)
    red, green, blue = label_overlay(grey, np.full((1, 1), label, dtype=np.uint8))[0, 0].tolist()
    return red, green, blue


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value >= 9.5 else f"{value:.1f} %" if value >= 0.1 else "< 0.1 %"


def _legend(entries: Sequence[tuple[int, str]], width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    """Lines of colours with names on white, as wide as the picture or the longest name."""
    size = max(FONT_PX, width // 80)
    font = ImageFont.load_default(size=size)
    gap, swatch = size // 2, size
    texts = [text for _, text in entries] or [NO_CLASS]
    widths = [gap + swatch + gap // 2 + int(np.ceil(font.getlength(text))) for text in texts]
    width = max(width, max(widths) + gap)
    lines, left, places = 0, 0, []
    for own in widths:
        if left and left + own + gap > width:
            lines, left = lines + 1, 0
        places.append((left + gap, lines))
        left += own
    height = (lines + 1) * (size + gap) + gap
    canvas = Pillow.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    for (x, line), (label, text) in zip(places, entries or [(0, NO_CLASS)], strict=True):
        top = gap + line * (size + gap)
        if entries:
            box = (x, top, x + swatch - 1, top + swatch - 1)
            draw.rectangle(box, fill=_seen_color(label), outline="#333")
        draw.text(
            (x + swatch + gap // 2, top + size // 2), text, fill="#222", font=font, anchor="lm"
        )
    return np.array(canvas)
