"""Size and kind of an image, from its header."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from wsss.data.images.opening import UNDECODABLE, opened
from wsss.data.images.orientation import TURNED_BY_90, orientation_of
from wsss.data.images.tiff_bands import unread_bands

_GREY_AND_DEEP = {
    "1": "greyscale",
    "L": "greyscale",
    "LA": "greyscale",
    "La": "greyscale",
    "CMYK": "CMYK",
    "I": "16-bit",
    "F": "floating point",
}
"""Kinds by Pillow's mode."""

_SEVERAL = {
    "GIF": "GIF (first frame)",
    "PNG": "animated PNG (first frame)",
    "WEBP": "animated WebP (first frame)",
    "AVIF": "AVIF sequence (first frame)",
    "TIFF": "TIFF of several pages (first page)",
    "DICOM": "DICOM of several frames (first frame)",
}
"""Kinds of files with several frames by Pillow's format. (Most telephones add pictures to a JPEG or
HEIC which are not meant to be seen.)"""


@dataclass(frozen=True, slots=True)
class Header:
    """Size and kind of an image, from the file's header."""

    size: tuple[int, int]
    """Height and width in pixels of the upright image."""
    conversions: tuple[str, ...]
    """Differences from plain RGB: `greyscale`, `CMYK`, `16-bit`, `alpha`, `GIF (first frame)`, …"""


def read_header(path: Path) -> Header:
    """Upright size and kind of an image, without decoding it.

    Raises:
        WsssError: the file is missing, not an image or absurdly large.
    """
    with opened(path) as picture:
        conversions = list(_kinds(picture))  # before EXIF is looked for, which decodes a PNG
        orientation = orientation_of(picture)
        width, height = picture.size
        if orientation in TURNED_BY_90:
            height, width = width, height
        if orientation != 1:
            conversions.append("EXIF-rotated")
        return Header((height, width), tuple(conversions))


def _kinds(picture: Image.Image) -> Iterator[str]:
    """What is converted or left out when a picture is read, besides its rotation."""
    if _has_several(picture):
        yield _SEVERAL[picture.format or ""]
    elif picture.format == "DICOM":
        yield "DICOM"
    if kind := _GREY_AND_DEEP.get("I" if picture.mode.startswith("I;16") else picture.mode):
        yield kind
    elif _has_16_bit_colours(picture):
        yield "16-bit"
    if unread := unread_bands(picture):
        yield unread
    if picture.has_transparency_data:
        yield "alpha"


def _has_several(picture: Image.Image) -> bool:
    """Whether frames or pages follow the first one, in a format whose frames are images."""
    try:
        return picture.format in _SEVERAL and bool(getattr(picture, "is_animated", False))
    except UNDECODABLE:
        return False


def _has_16_bit_colours(picture: Image.Image) -> bool:
    """Whether Pillow keeps the high bytes of 16-bit colours alone."""
    arguments = [tile[3] for tile in getattr(picture, "tile", ())]
    return any(";16" in str(one if isinstance(one, str) else (one or "?")[0]) for one in arguments)
