"""Labels and activations as colours over an image."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from wsss.artifacts import voc_palette
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL

Image = UInt8[np.ndarray, "h w 3"]
Labels = UInt8[np.ndarray, "h w"]

LABEL_OPACITY = 0.66
HEAT_OPACITY = 0.85
ORANGE_RGB = (255, 140, 26)
HATCH_PERIOD_PX = 8
HATCH_LIGHT, HATCH_DARK = 255.0, 178.0


def palette() -> UInt8[np.ndarray, "256 3"]:
    """VOC's colours, with its greys (such as label 7) replaced: the image is grey."""
    colors = voc_palette()
    colors[(colors == colors[:, :1]).all(axis=1)] = ORANGE_RGB
    return colors


def label_overlay(image: Image, labels: Labels) -> Image:
    """The grey image with every object in the colour of its class and a white outline.

    Objects are lightened, as some of VOC's colours are almost black; background is darkened, void
    hatched.

    Args:
        image: RGB.
        labels: 0 background, 1…C classes, 255 void, of the image's size.
    """
    grey = greyscale(image)
    colors = palette()[labels].astype(np.float32)
    blended = LABEL_OPACITY * colors + (1 - LABEL_OPACITY) * (grey + 255) / 2
    blended[labels == BACKGROUND_LABEL] = 0.6 * grey[labels == BACKGROUND_LABEL]
    void = labels == VOID_LABEL
    blended[void] = hatching(*labels.shape)[void]
    blended[outlines(np.where(void, BACKGROUND_LABEL, labels))] = 255
    return to_bytes(blended)


def heat_overlay(image: Image, heat: Float[np.ndarray, "h w"]) -> Image:
    """The grey image with an activation map in the colour map `inferno`, opaque where it is high.

    Args:
        image: RGB.
        heat: in [0, 1], of the image's size.
    """
    fire, opacity = heat_colors(heat)
    return to_bytes(opacity * fire + (1 - opacity) * 0.6 * greyscale(image))


def heat_colors(
    heat: Float[np.ndarray, "h w"],
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "h w 1"]]:
    """An activation map in the colour map `inferno`, RGB, and its opacity in [0, 1].

    Args:
        heat: in [0, 1].
    """
    level = np.clip(heat, 0, 1).astype(np.float32)
    fire = cv2.applyColorMap(to_bytes(255 * level), cv2.COLORMAP_INFERNO)[..., ::-1]
    return fire, HEAT_OPACITY * np.sqrt(level)[..., None]


def greyscale(image: Image) -> Float[np.ndarray, "h w 3"]:
    """The luma of an RGB image in all three channels, in [0, 255]."""
    luma = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.repeat(luma[..., None], 3, axis=2)


def outlines(labels: Labels) -> Bool[np.ndarray, "h w"]:
    """The object pixels with a 4-neighbour of another label."""
    edges = np.zeros(labels.shape, dtype=bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return np.asarray(edges & (labels != BACKGROUND_LABEL))


def hatching(height: int, width: int) -> Float[np.ndarray, "h w 1"]:
    """Diagonal stripes of white and grey, in [0, 255], which mark void pixels."""
    rows, columns = np.ogrid[:height, :width]
    stripes = (rows + columns) % HATCH_PERIOD_PX < HATCH_PERIOD_PX // 2
    return np.where(stripes, HATCH_LIGHT, HATCH_DARK).astype(np.float32)[..., None]


def css_color(label: int) -> str:
    """The colour of a label as CSS: `#804000`."""
    return f"#{palette()[label].tobytes().hex()}"


def to_bytes(values: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Round values in [0, 255] to bytes."""
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)
