"""What is done to finished pictures: a watermark in a corner, and near copies."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from wsss.data.sources.synthetic.backdrops import Canvas

STAMP_SIDES = (0.1, 0.3)
"""Height and width of the watermark, as parts of the image's."""
STAMP_MARGIN = 0.03
"""Between the watermark and the image's edges, as a part of the shorter side."""
CROP_PX = 4
"""Most pixels that a near copy lacks on a side; at least one."""
BRIGHTNESS = 0.12
"""Greatest relative change of brightness of a near copy."""
JPEG_QUALITIES = (70, 92)

_TEXT, _OPACITY = "(c) pix", 0.8
_PLATE, _INK = 24, 240


def stamp_box(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the watermark in an image, in pixels; right of, below it."""
    margin = max(1, round(STAMP_MARGIN * min(height, width)))
    tall, wide = (
        max(1, round(part * side)) for part, side in zip(STAMP_SIDES, (height, width), strict=True)
    )
    return width - margin - wide, height - margin - tall, width - margin, height - margin


def stamped(image: Canvas) -> Canvas:
    """The image with the watermark in its lower right corner, RGB uint8 [h, w, 3]."""
    left, top, right, bottom = stamp_box(*image.shape[:2])
    mark = _stamp(bottom - top, right - left)[..., None]
    found = image.copy()
    under = found[top:bottom, left:right].astype(np.float32)
    blended = (1 - _OPACITY) * under + _OPACITY * mark
    found[top:bottom, left:right] = np.rint(blended).astype(np.uint8)
    return found


@cache
def _stamp(height: int, width: int) -> Float[np.ndarray, "h w"]:
    """Light letters on a dark plate, grey values in [0, 255]."""
    scale = 8
    plate = np.full((scale * height, scale * width), _PLATE, dtype=np.uint8)
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, scale
    (wide, tall), _ = cv2.getTextSize(_TEXT, font, 1.0, thickness)
    size = min(0.9 * plate.shape[1] / wide, 0.7 * plate.shape[0] / tall)
    place = (round((plate.shape[1] - size * wide) / 2), round((plate.shape[0] + size * tall) / 2))
    cv2.putText(plate, _TEXT, place, font, size, _INK, thickness, cv2.LINE_AA)
    return cv2.resize(plate.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)


def cropped(picture: UInt8[np.ndarray, "..."], rng: np.random.Generator) -> Any:
    """An image or a mask without 1…`CROP_PX` pixels on each side."""
    top, bottom, left, right = rng.integers(1, CROP_PX + 1, size=4)
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[top : height - bottom, left : width - right])


def near_copy(image: Canvas, rng: np.random.Generator) -> Canvas:
    """The image cropped, brighter or darker, and through JPEG; RGB uint8.

    The crop is that of `cropped` with a generator in the same state.
    """
    part = cropped(image, rng).astype(np.float32) * rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS)
    bgr = np.clip(np.rint(part), 0, 255).astype(np.uint8)[..., ::-1]
    quality = int(rng.integers(*JPEG_QUALITIES, endpoint=True))
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
