"""Stored values of DICOM images as levels of 8 bits, as a viewer would show them at first.

Of grey images the values go through the modality transformation (rescale slope and intercept, or
look-up table) and then through the first window or look-up table of values of interest; without
one, images of 8 bits stay as they are and all others span their own minimum and maximum.
MONOCHROME1, which is white where values are low, is inverted. NEMA PS3.3 C.7.6.3, C.11.1, C.11.2.
"""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

_EXTREMES = (-1e30, 1e30)
"""Values below and above every window."""


def as_shown(
    stored: np.ndarray[Any, Any], header: Dataset
) -> UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]:
    """Stored values of a frame as grey values or colours in 0…255.

    Args:
        stored: [h, w] or, of RGB, [h, w, 3].
        header: what the file says of them.
    """
    bits = int(header.get("BitsStored") or 8 * stored.itemsize)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(stored, header)
        return _scaled(colours[..., :3], 0, np.iinfo(colours.dtype).max)
    if stored.ndim == 3:
        return _scaled(stored, 0, 2**bits - 1)
    shown = _of_first_frame(header)
    values = apply_modality_lut(stored, shown)
    if _has_window(shown):
        low, high = apply_voi_lut(np.array(_EXTREMES), shown)
        grey = _scaled(apply_voi_lut(values, shown), low, high)
    elif shown.get("VOILUTSequence"):
        depth = shown.VOILUTSequence[0].LUTDescriptor[2]
        grey = _scaled(apply_voi_lut(values, shown), 0, 2**depth - 1)
    elif values is stored and stored.dtype.kind == "u" and bits <= 8:
        grey = _scaled(values, 0, 2**bits - 1)
    else:
        finite = values[np.isfinite(values)]
        grey = _scaled(values, *((finite.min(), finite.max()) if finite.size else (0, 1)))
    return 255 - grey if header.PhotometricInterpretation == "MONOCHROME1" else grey


def _has_window(header: Dataset) -> bool:
    """Whether there is a window, and no look-up table of values of interest, which goes first."""
    missing = None in (header.get("WindowCenter"), header.get("WindowWidth"))
    return not missing and not header.get("VOILUTSequence")


def _of_first_frame(header: Dataset) -> Dataset:
    """The header, with the transformations that files of many frames note for each frame."""
    flat = Dataset(header)
    flat.file_meta = header.file_meta  # tells the byte order of look-up tables
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (header.get(name) or [])[:1]:
            for macro in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                for values in (group.get(macro) or [])[:1]:
                    flat.update(values)
    return flat


def _scaled(
    values: np.ndarray[Any, Any], low: float, high: float
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Values as levels: `low` becomes 0 and `high` 255; what is not finite becomes 0."""
    unit = (values.astype(np.float64) - low) / (float(high) - low or 1.0)
    levels = np.round(np.nan_to_num(unit, posinf=0.0, neginf=0.0).clip(0, 1) * 255)
    return np.asarray(levels, dtype=np.uint8)
