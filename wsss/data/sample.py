"""The one sample type, and the item that leads to it."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import numpy as np
from jaxtyping import Bool, UInt8

VOID_LABEL = 255
"""Mask value of a pixel that has no label and counts nowhere."""

BACKGROUND_LABEL = 0
"""Mask value of a pixel that belongs to none of the classes."""

MAX_CLASSES = 254
"""Masks are 8-bit: 0 is background, 255 is void, the rest are classes."""

_MAX_FILE_NAME = 200
"""File names longer than this are refused by some file systems once a suffix is added."""


@dataclass(frozen=True, slots=True)
class Item:
    """An index entry: what is known of an image before it is read."""

    id: str
    """Name of the image in the user's data, unique in its data set."""
    labels: tuple[int, ...]
    """Mask values 1…C of the image's tags, ascending; empty for an image without objects."""
    image: Path | None = None
    """Image file; None where the source draws the image itself."""
    mask: Path | None = None
    """Ground-truth file, opened by the evaluation only; None where there is none."""

    @property
    def file_stem(self) -> str:
        """The id as a file name: letters, digits, spaces and `-_.` stay, the rest is %-encoded."""
        return safe_file_stem(self.id)


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with its tags, as every stage sees it."""

    id: str
    image: UInt8[np.ndarray, "h w 3"]
    """RGB, upright."""
    tags: Bool[np.ndarray, " c"]
    """Multi-hot; class `c` has the mask value `c + 1`."""


def safe_file_stem(item_id: str) -> str:
    """Turn an id into a reversible file name that stays inside its folder.

    Unicode letters and digits, spaces and `-_.` are kept, so that ordinary ids stay what they are;
    everything else, path separators included, is %-encoded. Ids of dots alone are encoded whole.
    Names over 200 bytes end in a hash instead of being reversible.
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
