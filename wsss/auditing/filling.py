"""Objects filled with the colour of what is around them."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

BORDER_PX = 3
"""Around an object that is filled too: masks are seldom exact."""
RING = 0.08
"""Width of the surroundings as a part of the image's shorter side."""


def filled(
    image: UInt8[np.ndarray, "h w 3"], object_: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The image with an object filled with the mean colour of its surroundings.

    The mean colour of the whole image where the object leaves no surroundings.
    """
    hole = _grown(object_, BORDER_PX)
    ring = _grown(hole, max(2, round(RING * min(image.shape[:2])))) & ~hole
    result = image.copy()
    if hole.any():
        mean = (image[ring] if ring.any() else image.reshape(-1, 3)).mean(axis=0)
        result[hole] = np.rint(mean).astype(np.uint8)
    return result


def _grown(mask: Bool[np.ndarray, "h w"], px: int) -> Bool[np.ndarray, "h w"]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
    grown: Bool[np.ndarray, "h w"] = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    return grown
