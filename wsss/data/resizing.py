"""Reducing images to a maximum size, and masks back to the original size."""

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16


def shrink(image: UInt8[np.ndarray, "h w 3"], max_side_px: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Reduce an image, by area, until its longer side has at most `max_side_px` pixels."""
    height, width = shrunk_size((image.shape[0], image.shape[1]), max_side_px)
    if (height, width) == image.shape[:2]:
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def shrunk_size(size: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    """The size (height, width) to which `shrink` brings an image of `size`."""
    factor = min(1.0, max_side_px / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def resize_mask(
    mask: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"], size: tuple[int, int]
) -> UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"]:
    """Resize a mask, or what goes with it, to `size` (height, width), by nearest neighbour."""
    height, width = size
    if mask.shape == size:
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
