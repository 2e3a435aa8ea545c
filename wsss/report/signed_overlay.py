"""A signed map as diverging colours over an image."""

import numpy as np
from jaxtyping import Float

from wsss.report.overlays import HEAT_OPACITY, Image, greyscale, to_bytes

BLUE_RGB = (64, 140, 255)
RED_RGB = (255, 70, 50)


def signed_overlay(image: Image, values: Float[np.ndarray, "h w"]) -> Image:
    """The grey image, blue where values are below 0 and red where above, clear at 0.

    Opacity is proportional to the value, so that a small difference looks like one.

    Args:
        image: RGB.
        values: in [-1, 1], of the image's size.
    """
    level = np.clip(values, -1, 1).astype(np.float32)[..., None]
    colours = np.where(level < 0, np.array(BLUE_RGB, np.float32), np.array(RED_RGB, np.float32))
    opacity = HEAT_OPACITY * np.abs(level)
    return to_bytes(opacity * colours + (1 - opacity) * 0.6 * greyscale(image))
