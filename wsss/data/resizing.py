"""Bounding the size at which images are processed, and coming back from it."""

import cv2
import numpy as np
from jaxtyping import UInt8


def shrink(image: UInt8[np.ndarray, "h w 3"], max_side_px: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Reduce an image, by area, until its longer side has at most `max_side_px` pixels."""
    height, width = image.shape[:2]
    factor = max_side_px / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def resize_mask(mask: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> UInt8[np.ndarray, "H W"]:
    """Bring a mask to `size` (height, width), by nearest label."""
    height, width = size
    if mask.shape == size:
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
