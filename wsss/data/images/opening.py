"""Opening an image file, and what to say of one that does not open."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from wsss.data.images.file_content import content_of
from wsss.data.images.optional_formats import optional_format
from wsss.data.images.quiet import unlogged
from wsss.data.images.tiff_bands import check_planes, unusual_bands
from wsss.errors import WsssError, user_error

UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""Exceptions of Pillow's decoders on broken files."""


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Yield an image file; errors in the block become a `WsssError`.

    Warnings of Pillow and of what it calls concern metadata and large sizes and are ignored.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _open(path) as picture:
                check_planes(path, picture)
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
    except UNDECODABLE as error:
        raise _undecodable(path, error) from error


def _open(path: Path) -> Image.Image:
    """The picture, by Pillow or by the package that the file's first bytes ask for."""
    try:
        with unlogged("PIL.TiffImagePlugin"):  # it counts the bands of what it cannot open
            return Image.open(path)
    except UnidentifiedImageError:
        needed = optional_format(path)
        if needed is None:
            raise
        needed.register(path)
        return Image.open(path, formats=[needed.pillow_name])


def _undecodable(path: Path, error: Exception) -> WsssError:
    """What a file is, as far as its first bytes tell, and what to do with it."""
    if unusual := unusual_bands(path):
        return unusual
    size = f", {path.stat().st_size:,} bytes" if path.is_file() else ""
    if not isinstance(error, UnidentifiedImageError):
        came = f"unreadable image{size} ({' '.join(str(error).split())})"
    elif content := content_of(path):
        expected = "an image, such as a JPEG or PNG"
        return user_error(path, f"{content.name}, not an image{size}", expected, content.remedy)
    else:
        needed = optional_format(path)
        came = f"unreadable image{size} ({needed.name})" if needed else f"not an image{size}"
    return user_error(
        path,
        came,
        "an intact image that opens in an image viewer",
        "Replace it with an intact copy, or leave it out.",
    )
