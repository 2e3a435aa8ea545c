"""What a file that is no readable image is, by its first bytes."""

import re
from dataclasses import dataclass
from pathlib import Path

_LOOKED_AT = 1024
"""First bytes that are searched."""


@dataclass(frozen=True, slots=True)
class Content:
    """A kind of file."""

    name: str
    """With its article: `a web page (HTML)`."""
    remedy: str
    """How an image is got instead, as an imperative sentence."""


_DOWNLOAD = (
    "Download the image itself: a server sends a page where a link is old or a login missing."
)
_PULL = "Fetch what it stands for: `git lfs pull`."
_EXPORT = "Export it as PNG or JPEG."
_UNPACK = "Unpack it, and use the images inside."
_FRAMES = "Take the frames that you need out of it: `ffmpeg -i clip.mp4 frames/%05d.png`."
_DEVELOP = "Export it as JPEG, PNG or TIFF with the program that develops your camera's files."
_FOR_PILLOW = "Install a Pillow that does (`pip install -U pillow`), or save it as PNG."

_CONTENTS = (
    (rb"version https://git-lfs\.", "a Git LFS pointer", _PULL),
    (rb"(?is)(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b",
     "a web page (HTML)", _DOWNLOAD),
    (rb"(?is)(\xef\xbb\xbf)?\s*(<\?xml.*?|<!.*?)?<svg\b", "a vector drawing (SVG)", _EXPORT),
    (rb"(?is)(\xef\xbb\xbf)?\s*<\?xml\b", "an XML document", _DOWNLOAD),
    (rb"%PDF-", "a PDF document", _EXPORT),
    (rb"PK\x03\x04", "a zip archive", _UNPACK),
    (rb"\x1f\x8b", "a gzip archive", _UNPACK),
    (rb"\x93NUMPY", "a NumPy array (.npy)",
     "Save it as PNG: `Image.fromarray(array).save('image.png')`."),
    (rb"(?s)....ftypcrx |II\*\x00....CR|FUJIFILMCCD-RAW|II(R[OS]|U\x00)|MMOR",
     "a camera's RAW file", _DEVELOP),
    (rb"(?s)....ftyp(avif|avis)", "AVIF, which this Pillow does not read", _FOR_PILLOW),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000, which this Pillow does not read",
     _FOR_PILLOW),
    (rb"(?s)....ftyp(isom|iso\d|mp4|M4V|qt  |avc1|3gp)|RIFF....AVI |\x1a\x45\xdf\xa3",
     "a video", _FRAMES),
)  # fmt: skip
"""First bytes as a regular expression, what has them, and what to do."""


def content_of(path: Path) -> Content | None:
    """What the first bytes of a file say that it is; None if they say nothing."""
    start = first_bytes(path, _LOOKED_AT)
    for pattern, name, remedy in _CONTENTS:
        if re.match(pattern, start):
            return Content(name, remedy)
    return None


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError:
        return b""
