"""Bands of a TIFF: satellites' images have more of them than red, green and blue."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    ImageFileDirectory_v2,
)

from wsss.errors import WsssError, user_error

_BIG_TIFF = (b"II\x2b\x00", b"MM\x00\x2b")
_PLANE_BY_PLANE = 2
_GREY, _COLOURS = {(2, 8)}, {(3, 8), (3, 16), (4, 8), (4, 16)}
"""Several bands, and bits of each, as Pillow reads them."""
_NUMBERS = {1: "whole numbers", 2: "signed whole numbers", 3: "floating point"}
"""By the tag SampleFormat."""
_EXPECTED = "one band of grey, or RGB with or without opacity, or CMYK, 8 or 16 bits each"
_CHOOSE = (
    "Choose the bands that are red, green and blue, here 3, 2 and 1, and scale them to 8 bits: "
    "`gdal_translate -b 3 -b 2 -b 1 -ot Byte -scale in.tif out.tif`."
)


def unusual_bands(path: Path) -> WsssError | None:
    """The error of a TIFF of more bands than Pillow reads, or of colours deeper than 16 bits.

    None for all others, and for what is no TIFF.
    """
    tags = _tags(path)
    bands, bits = _bands(tags), _bits(tags)
    is_grey = _first(tags.get(PHOTOMETRIC_INTERPRETATION, 1)) <= 1
    if not tags or bands == 1 or (bands, bits) in (_GREY if is_grey else _COLOURS):
        return None
    numbers = _NUMBERS.get(_first(tags.get(SAMPLEFORMAT, 1)), "numbers")
    return user_error(path, f"a TIFF of {bands} bands of {bits}-bit {numbers}", _EXPECTED, _CHOOSE)


def check_planes(path: Path, picture: Image.Image) -> None:
    """Refuse a TIFF that Pillow reads wrongly: uncompressed 16-bit colours, plane after plane.

    Raises:
        WsssError: it is one.
    """
    tags = getattr(picture, "tag_v2", {})
    raw = any(tile[0] == "raw" for tile in getattr(picture, "tile", ()))
    if raw and _planes(tags) and _bands(tags) > 1 and _bits(tags) == 16:
        raise unusual_bands(path) or user_error(
            path,
            f"an uncompressed TIFF of {_bands(tags)} planes of 16 bits, which Pillow misreads",
            "colours side by side, pixel after pixel",
            "Rearrange them: `gdal_translate -co INTERLEAVE=PIXEL in.tif out.tif`.",
        )


def unread_bands(picture: Image.Image) -> str:
    """`5 bands (first 3)` if a TIFF has more bands than Pillow reads; else nothing."""
    bands, read = _bands(getattr(picture, "tag_v2", {})), len(picture.getbands())
    return f"{bands} bands (first {read})" if bands > read else ""


def _tags(path: Path) -> Mapping[int, Any]:
    """Tags of the first page; none if it is no intact TIFF."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = stream.read(8)
            if start[:4] in _BIG_TIFF:
                start += stream.read(8)
            tags = ImageFileDirectory_v2(start)
            stream.seek(tags.next or 0)
            tags.load(stream)
            return dict(tags)
    except Exception:  # whatever a damaged file makes Pillow raise
        return {}


def _bands(tags: Mapping[int, Any]) -> int:
    return int(_first(tags.get(SAMPLESPERPIXEL, 1)))


def _bits(tags: Mapping[int, Any]) -> int:
    return int(_first(tags.get(BITSPERSAMPLE, 1)))


def _planes(tags: Mapping[int, Any]) -> bool:
    """Whether the bands are stored one after the other."""
    return bool(_first(tags.get(PLANAR_CONFIGURATION, 1)) == _PLANE_BY_PLANE)


def _first(value: Any) -> Any:
    """A tag's first value."""
    return value[0] if isinstance(value, tuple) else value
