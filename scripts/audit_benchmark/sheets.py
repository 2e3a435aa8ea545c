"""Sheets of findings, for a person to look at: image, map, and the class that is said to lack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from wsss.artifacts import atomic
from wsss.data.sample import Item, safe_file_stem
from wsss.data.source import Source
from wsss.explain.contact_sheet import overlay, resized, shortened
from wsss.report.overlays import Image

CELL_PX = (240, 320)
"""Height and width of a picture."""
TITLE_PX, GUTTER_PX = 22, 8
COLUMNS, ROWS = 3, 4
"""Findings on a sheet, each two pictures wide."""


def write_sheets(
    rows: Sequence[Mapping[str, Any]],
    source: Source,
    items: Mapping[str, Item],
    audit: Path,
    folder: Path,
) -> list[Path]:
    """Draw findings in their order, and give the files; sheets of before are removed.

    Args:
        rows: rank, image and label of each finding.
        source: the data set.
        items: its items by id.
        audit: folder of the audit, whose `evidence/` has maps of some images.
        folder: takes the sheets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("sheet_*.png"):
        old.unlink()
    per_sheet, paths = COLUMNS * ROWS, []
    for start in range(0, len(rows), per_sheet):
        cells = []
        for row in rows[start : start + per_sheet]:
            image = source.read_image(items[row["image"]])
            heat = kept_map(audit, row["image"], source.class_names.index(row["label"]))
            cells.append(cell(row, image, heat))
        paths.append(folder / f"sheet_{len(paths) + 1}.png")
        with atomic(paths[-1]) as temporary:
            Pillow.fromarray(tiled(cells)).save(temporary, format="PNG")
    return paths


def kept_map(audit: Path, image: str, number: int) -> np.ndarray | None:
    """The map in [0, 1] of a class (its place among the names, from 0) that an audit has kept."""
    path = audit / "evidence" / f"{safe_file_stem(image)}.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as content:
        places = np.flatnonzero(content["classes"] == number)
        return content["maps"][places[0]].astype(np.float32) if len(places) else None


def cell(row: Mapping[str, Any], image: Image, heat: np.ndarray | None) -> Image:
    """The image and its map side by side under rank, class and id; grey where no map is kept."""
    height, width = CELL_PX
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
    pictures = [resized(image, *size)]
    if heat is not None:
        pictures.append(overlay(image, np.asarray(cv2.resize(heat, size[::-1]))))
    canvas = Pillow.new("RGB", (2 * width, TITLE_PX + height), "white")
    for place, picture in enumerate(pictures):
        canvas.paste(Pillow.fromarray(picture), (place * width, TITLE_PX))
    text = f"{row['rank']}: {row['label']}?  {row['image']}"
    if heat is None:
        text += "  (no map kept)"
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=13)
    draw.text((0, TITLE_PX // 2), shortened(text, 2 * width), fill="#333", font=font, anchor="lm")
    return np.array(canvas)


def tiled(cells: Sequence[Image]) -> Image:
    """Pictures of one size in rows of `COLUMNS`, on white."""
    height, width = (side + GUTTER_PX for side in cells[0].shape[:2])
    lines = -(-len(cells) // COLUMNS)
    sheet = np.full((lines * height, min(len(cells), COLUMNS) * width, 3), 255, dtype=np.uint8)
    for number, one in enumerate(cells):
        top, left = (number // COLUMNS) * height, (number % COLUMNS) * width
        sheet[top : top + one.shape[0], left : left + one.shape[1]] = one
    return sheet
