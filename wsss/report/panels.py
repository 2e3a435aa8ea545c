"""The panels of one image: image, CAM, refined map, pseudo mask, prediction, ground truth."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from wsss.artifacts import Seeds
from wsss.report.overlays import Image, Labels, heat_overlay, label_overlay

GROUND_TRUTH = "ground truth"
REFINED = "refined map"
MAX_ASPECT = 2.0
"""Images of a larger aspect ratio are made lower, so that a row fits the page."""
JPEG_QUALITY = 80
GUTTER_PX = 6
TITLE_PX = 24
TITLE_FONT_PX = 13


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a row."""

    title: str
    picture: Image
    note: str = ""
    """Caption."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Results of the stages for one image; None where a stage did not run."""

    image: Image
    seeds: Seeds | None = None
    pseudo_mask: Labels | None = None
    prediction: Labels | None = None
    truth: Labels | None = None
    later_seeds: Seeds | None = None
    """Those that a walk or a probe has made of `seeds`."""

    @property
    def label_masks(self) -> dict[str, Labels]:
        """The masks there are, by the titles of their panels."""
        masks = {
            "pseudo mask": self.pseudo_mask,
            "prediction": self.prediction,
            GROUND_TRUTH: self.truth,
        }
        return {title: mask for title, mask in masks.items() if mask is not None}

    @property
    def present(self) -> frozenset[int]:
        """Labels that occur in one of the masks."""
        masks = self.label_masks.values()
        return frozenset(int(label) for mask in masks for label in np.unique(mask))


def draw_panels(evidence: Evidence, height_px: int, class_names: Sequence[str]) -> list[Panel]:
    """The panels of a row, all of the same size, at most `height_px` high.

    Args:
        evidence: the image and its results, at any size.
        height_px: height of the pictures.
        class_names: names of the C classes.
    """
    height, width = fit(evidence.image.shape[0], evidence.image.shape[1], height_px)
    shrinks = height < evidence.image.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    image = cv2.resize(evidence.image, (width, height), interpolation=interpolation)
    panels = [Panel("image", image.astype(np.uint8))]
    for title, seeds in (("CAM", evidence.seeds), (REFINED, evidence.later_seeds)):
        if seeds is not None and len(seeds.labels):
            tags = [class_names[label - 1] for label in seeds.labels.tolist()]
            heat = strongest(seeds, height, width)
            panels.append(Panel(title, heat_overlay(panels[0].picture, heat), ", ".join(tags)))
    for title, labels in evidence.label_masks.items():
        small = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        panels.append(Panel(title, label_overlay(panels[0].picture, small.astype(np.uint8))))
    return panels


def fit(height: int, width: int, height_px: int) -> tuple[int, int]:
    """The size of an image in a box of height `height_px` and `MAX_ASPECT` times that width."""
    scale = min(height_px / height, MAX_ASPECT * height_px / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def strongest(seeds: Seeds, height: int, width: int) -> Float[np.ndarray, "h w"]:
    """The maximum over all tags of their activation maps, in [0, 1], resized."""
    heat = seeds.maps.astype(np.float32).max(axis=0)
    return np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR))


def strip(panels: Sequence[Panel]) -> Image:
    """All panels of a row side by side on white, each under its title."""
    height, width, _ = panels[0].picture.shape
    columns = len(panels)
    size = (columns * width + (columns - 1) * GUTTER_PX, TITLE_PX + height)
    canvas = Pillow.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=TITLE_FONT_PX)
    for column, panel in enumerate(panels):
        left = column * (width + GUTTER_PX)
        draw.text((left, TITLE_PX // 2), panel.title, fill="#333", font=font, anchor="lm")
        canvas.paste(Pillow.fromarray(panel.picture), (left, TITLE_PX))
    return np.array(canvas)


def jpeg(picture: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """An RGB picture as a JPEG file."""
    stream = BytesIO()
    Pillow.fromarray(picture).save(stream, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return stream.getvalue()


def data_uri(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    """An RGB picture as a JPEG in a data URI."""
    return "data:image/jpeg;base64," + b64encode(jpeg(picture)).decode("ascii")
