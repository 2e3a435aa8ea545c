"""A confusion matrix as a picture, for dashboards that draw none."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from wsss.report.overlays import Image

SIDE_PX = 640
"""Of the matrix, unless its cells would become too small or too large."""
MIN_CELL_PX, MAX_CELL_PX = 9, 56
NUMBER_CELL_PX = 30
"""Smaller cells have no number in them."""
MARGIN_PX = 8
FULL_RGB = (0, 77, 64)
VOID = "void"


def confusion_picture(
    labels: Sequence[str],
    counts: Int64[np.ndarray, "c1 c2"],
    columns: Sequence[str] | None = None,
) -> Image:
    """The rows of a confusion matrix as shares of the true label, the darker the larger.

    Args:
        labels: names of the rows, such as the C+1 labels, background first.
        counts: pixels by true label (row) and predicted one; the last column those without.
        columns: names of the columns, if they are others than the labels and void.
    """
    rows, across = counts.shape
    cell = int(np.clip(SIDE_PX // across, MIN_CELL_PX, MAX_CELL_PX))
    font = ImageFont.load_default(size=min(13, cell))
    heads = [*labels, VOID] if columns is None else [*columns]
    text_px = max(round(font.getlength(name)) for name in {*heads, *labels}) + 2 * MARGIN_PX
    size = (text_px + across * cell + MARGIN_PX, text_px + rows * cell + MARGIN_PX)
    canvas = Pillow.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for row, shares in enumerate(row_shares(counts)):
        top = text_px + row * cell
        place = (text_px - MARGIN_PX, top + cell // 2)
        draw.text(place, labels[row], fill="black", font=font, anchor="rm")
        for column, share in enumerate(shares.tolist()):
            left = text_px + column * cell
            color = tuple(round(255 + share * (full - 255)) for full in FULL_RGB)
            draw.rectangle((left, top, left + cell - 2, top + cell - 2), fill=color)
            if cell >= NUMBER_CELL_PX and share >= 0.005:
                ink = "white" if share > 0.5 else "black"
                middle = (left + cell // 2, top + cell // 2)
                draw.text(middle, f"{100 * share:.0f}", fill=ink, font=font, anchor="mm")
    for column, name in enumerate(heads):
        strip = Pillow.new("RGB", (text_px, cell), "white")
        at = (MARGIN_PX, cell // 2)
        ImageDraw.Draw(strip).text(at, name, fill="black", font=font, anchor="lm")
        canvas.paste(strip.rotate(90, expand=True), (text_px + column * cell, 0))
    return np.array(canvas)


def row_shares(counts: Int64[np.ndarray, "c1 c2"]) -> Float[np.ndarray, "c1 c2"]:
    """Each row divided by its sum, in [0, 1]; zeros for a label that does not occur."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))
