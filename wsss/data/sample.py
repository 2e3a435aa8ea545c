"""Items of a data set, and the special mask values."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

VOID_LABEL = 255
"""Mask value of a pixel without a label, ignored by losses and scores."""

BACKGROUND_LABEL = 0
"""Mask value of a pixel of no class."""

MAX_CLASSES = 254
"""Masks are 8-bit: 0 is background, 255 is void, the rest are classes."""

_MAX_FILE_NAME = 200
"""Limit in bytes, which leaves room for a suffix on all file systems."""


@dataclass(frozen=True, slots=True)
class Item:
    """The entry of an image in a data set: id, tags and files."""

    id: str
    """Name of the image in the user's data, unique in its data set."""
    labels: tuple[int, ...]
    """Mask values 1…C of the image's tags, ascending; empty for an image without objects."""
    image: Path | None = None
    """Image file; None where the source draws the image itself."""
    mask: Path | None = None
    """Ground-truth file, opened by the evaluation only; None where there is none."""
    place: tuple[int, ...] = ()
    """Where the image lies in the files of a data set that is no folder, in numbers that its source
    gives and reads: equally many for all of its items."""

    @property
    def file_stem(self) -> str:
        """The id as a file name: letters, digits, spaces and `-_.` stay, the rest is %-encoded."""
        return safe_file_stem(self.id)


def safe_file_stem(item_id: str) -> str:
    """Turn an id into a reversible file name that stays inside its folder.

    Unicode letters and digits, spaces and `-_.` are kept; everything else, path separators
    included, is %-encoded. Ids of dots alone are encoded entirely. Names over 200 bytes end in a
    hash instead of being reversible.
    """
    if not item_id.strip("."):
        return "".join(f"%{ord(char):02X}" for char in item_id) or "%00"
    stem = "".join(
        char if char.isalnum() or char in "-_. " else quote(char, safe="") for char in item_id
    )
    if len(stem.encode()) <= _MAX_FILE_NAME:
        return stem
    digest = blake2b(item_id.encode(), digest_size=8).hexdigest()
    return stem.encode()[: _MAX_FILE_NAME - 20].decode(errors="ignore") + "~" + digest
