"""Pixels as points of the two kernels: positions, and positions with colours."""

import numpy as np
from jaxtyping import Float32, UInt8

PADDING = 4
"""The reference pads pixels to a multiple of four with points at the origin."""

COLOUR_LEVELS = 255


def gaussian_features(size: tuple[int, int], sxy_px: float) -> Float32[np.ndarray, "2 n"]:
    """Columns and rows of an image of `size` (height, width) in units of `sxy_px`.

    Points are in raster order. If the number of pixels is no multiple of four, a point at the
    origin follows, without a value but with vertices, as in Krähenbühl's code.
    """
    height, width = size
    features = np.zeros((2, _padded(height * width)), dtype=np.float32)
    _set_positions(features, size, sxy_px)
    return features


def bilateral_features(
    image: UInt8[np.ndarray, "h w 3"], sxy_px: float, srgb: float
) -> Float32[np.ndarray, "5 n"]:
    """Columns and rows in units of `sxy_px`, then RGB levels in units of `srgb`; padded, too."""
    height, width = image.shape[:2]
    features = np.zeros((5, _padded(height * width)), dtype=np.float32)
    _set_positions(features, (height, width), sxy_px)
    levels = np.arange(COLOUR_LEVELS + 1, dtype=np.float32) / np.float32(srgb)
    colours = image.reshape(-1, 3).T
    for row, colour in zip(features[2:], colours, strict=True):
        np.take(levels, colour, out=row[: colour.size])
    return features


def _set_positions(
    features: Float32[np.ndarray, "d n"], size: tuple[int, int], sxy_px: float
) -> None:
    height, width = size
    scale = np.float32(sxy_px)
    columns, rows = (row[: height * width].reshape(size) for row in features[:2])
    columns[:] = np.arange(width, dtype=np.float32) / scale
    rows[:] = (np.arange(height, dtype=np.float32) / scale)[:, None]


def _padded(count: int) -> int:
    return count + (count % PADDING > 0)
