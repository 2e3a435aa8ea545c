"""Image and mask files as arrays: images as upright 8-bit RGB, masks as labels."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from wsss.data.sample import VOID_LABEL
from wsss.errors import user_error

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""File name endings of images, lower case."""

_WHITE = (255, 255, 255, 255)
_TURNED_BY_90 = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap height and width."""

_UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""Exceptions of Pillow's decoders on broken files."""

_CONVERSIONS = {
    "1": "greyscale",
    "L": "greyscale",
    "LA": "greyscale",
    "La": "greyscale",
    "CMYK": "CMYK",
    "I": "16-bit",
    "F": "floating point",
}


@dataclass(frozen=True, slots=True)
class Header:
    """Size and kind of an image, from the file's header."""

    size: tuple[int, int]
    """Height and width in pixels of the upright image."""
    conversions: tuple[str, ...]
    """Differences from plain RGB: `greyscale`, `CMYK`, `16-bit`, `alpha`, …"""


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The image of a file as upright RGB in 0…255, on white where it is transparent.

    16-bit grey values are scaled by 255 / 65535. 32-bit grey values (integer or float) are scaled
    by the smallest full scale that holds them (floats: 1, 255 or 65535) or else from their minimum
    and maximum. Of several frames the first is read.

    Raises:
        WsssError: the file is missing, truncated, not an image or absurdly large.
    """
    with _opened(path) as picture:
        return to_rgb(picture)


def to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """An opened picture, converted as by `read_rgb`."""
    upright = picture if _orientation(picture) == 1 else ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in "IF":
        upright = Image.fromarray(_to_8_bit(np.asarray(upright)))
    if upright.has_transparency_data:
        colors = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", colors.size, _WHITE), colors)
    return np.array(upright.convert("RGB"))


def read_header(path: Path) -> Header:
    """Upright size and kind of an image, without decoding it.

    Raises:
        WsssError: the file is missing, not an image or absurdly large.
    """
    with _opened(path) as picture:
        orientation = _orientation(picture)
        kind = _CONVERSIONS.get("I" if picture.mode.startswith("I;16") else picture.mode)
        conversions = [kind] if kind else []
        if picture.has_transparency_data:
            conversions.append("alpha")
        if orientation != 1:
            conversions.append("EXIF-rotated")
        width, height = picture.size
        if orientation in _TURNED_BY_90:
            height, width = width, height
        return Header((height, width), tuple(conversions))


def read_mask(path: Path, num_classes: int) -> UInt8[np.ndarray, "h w"]:
    """The label of each pixel: 0 background, 1…`num_classes`, 255 void.

    The file is a palette image, whose indices are the labels, or a greyscale one, whose grey values
    are.

    Raises:
        WsssError: the file is missing or unreadable, has colours instead of labels, or invalid
            labels.
    """
    with _opened(path) as picture:
        if not (picture.mode in ("1", "L", "P", "I") or picture.mode.startswith("I;16")):
            raise user_error(
                path,
                f"a mask of colours (mode {picture.mode})",
                "one label a pixel: an 8-bit palette or greyscale PNG",
                "Save it with label numbers instead of colours: "
                "`Image.fromarray(labels.astype('uint8')).save('mask.png')`.",
            )
        labels = np.asarray(picture)
    wrong = (labels < 0) | (labels > num_classes) & (labels != VOID_LABEL)
    if wrong.any():
        unknown = np.unique(labels[wrong])
        values = ", ".join(str(value) for value in unknown[:8]) + ", …" * (len(unknown) > 8)
        raise user_error(
            path,
            f"a mask with unknown values: {values}",
            f"0 for background, 1…{num_classes} for the classes in their order, "
            f"{VOID_LABEL} for void",
            "Renumber the mask's labels, or list all classes in classes.txt.",
        )
    return labels.astype(np.uint8)


def check_mask_size(path: Path, mask_size: tuple[int, int], size: tuple[int, int]) -> None:
    """Refuse a mask of another size than its image.

    Args:
        path: the mask's file, for the message.
        mask_size: height and width of the mask in pixels.
        size: height and width of the upright image in pixels.

    Raises:
        WsssError: the sizes differ.
    """
    if mask_size == size:
        return
    turned = " (is the mask that of the image before its EXIF rotation?)"
    raise user_error(
        path,
        f"a mask of {_dimensions(mask_size)} for an image of {_dimensions(size)}"
        + turned * (mask_size == size[::-1]),
        "a mask as large as its image, seen upright",
        "Resize the mask without interpolation (nearest neighbour), or make it anew.",
    )


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Yield an image file; errors in the block become a `WsssError`.

    Pillow's warnings concern metadata and large sizes and are ignored.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                yield picture
    except FileNotFoundError:
        raise user_error(
            path,
            "no such file",
            "an image file",
            "Put the file there, or leave the image out.",
        ) from None
    except IsADirectoryError:
        raise user_error(
            path, "a folder", "an image file", f"Name the files that are in it: `{path}/*.jpg`."
        ) from None
    except Image.DecompressionBombError:
        raise user_error(
            path,
            "an image too large to decode safely",
            f"at most {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels",
            "Cut it into tiles or reduce it, and use those files instead.",
        ) from None
    except _UNDECODABLE as error:
        kind = "not an image" if isinstance(error, UnidentifiedImageError) else "unreadable image"
        detail = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        size = f", {path.stat().st_size:,} bytes" if path.is_file() else ""
        raise user_error(
            path,
            f"{kind}{size}{detail}",
            "an intact image that opens in an image viewer",
            "Replace it with an intact copy, or leave it out.",
        ) from error


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1…8; 1, upright, without a valid one."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except _UNDECODABLE:
        return 1
    return orientation if orientation in range(1, 9) else 1


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


def _dimensions(size: tuple[int, int]) -> str:
    """A size as text: width × height."""
    return f"{size[1]} × {size[0]} px"
