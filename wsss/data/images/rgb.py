"""Images as upright 8-bit RGB."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16
from PIL import Image, ImageOps

from wsss.data.images.opening import opened
from wsss.data.images.orientation import orientation_of

_WHITE = (255, 255, 255, 255)


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The image of a file as upright RGB in 0…255, on white where it is transparent.

    What the file is its first bytes tell, whatever its name ends in. Of several frames or pages the
    first is read. Depths other than 8 bits:

    * 16-bit grey values are scaled by 255 / 65535. (The 12 bits of many cameras use a sixteenth of
      that: such images come out dark.)
    * 32-bit grey values (integer or float) are scaled by the smallest full scale that holds them
      (integers: 255 or 65535, floats: 1, 255 or 65535) or else from their minimum and maximum;
      values that are not finite are black.
    * Of 16-bit colours the high byte is kept, which is at most 1 level off the scaled value.
    * DICOM: see `dicom.py`.

    Raises:
        WsssError: the file is missing, truncated, not an image, of more bands than RGB and opacity,
            or absurdly large; or the package that reads its format is not installed.
    """
    with opened(path) as picture:
        return to_rgb(picture)


def to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """An opened picture, converted as by `read_rgb`."""
    upright = picture if orientation_of(picture) == 1 else ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in "IF":
        upright = Image.fromarray(_to_8_bit(np.asarray(upright)))
    if upright.has_transparency_data:
        colors = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", colors.size, _WHITE), colors)
    return np.array(upright.convert("RGB"))


def _to_8_bit(
    grey: UInt16[np.ndarray, "h w"] | Int32[np.ndarray, "h w"] | Float32[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w"]:
    """Scale grey values to 0…255 instead of clipping them; values that are not finite become 0."""
    values = np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    full_scales = {"u": (65535,), "i": (255, 65535), "f": (1, 255, 65535)}[grey.dtype.kind]
    fitting = [scale for scale in full_scales if low >= 0 and high <= scale]
    low, high = (0.0, fitting[0]) if fitting else (low, high)
    return np.round((values - low) * (255 / (high - low or 1.0))).astype(np.uint8)
