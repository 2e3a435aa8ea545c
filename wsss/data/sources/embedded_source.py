"""Data sets whose images are parts of larger files: shards, tables."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import fingerprint_of_rows
from wsss.data.images import (
    check_mask_size,
    read_embedded,
    read_header,
    read_mask,
    read_rgb,
)
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.sources.file_digests import DIGEST_BYTES
from wsss.data.sources.listed_source import ListedSource

Fingerprints = tuple[str, str]
"""Of the weakly supervised part of a split, and of its ground truth."""


class EmbeddedSource(ListedSource):
    """A data set that reads the encoded images of its items out of larger files, in any order.

    Where an image lies is told by its item's `place`. Fingerprints are those of a folder data set
    of the same ids, tags, and files: results of the one are results of the other.
    """

    _fingerprints: dict[str, Fingerprints]
    """By split."""

    def read_image(self, item: Item) -> UInt8[np.ndarray, "h w 3"]:
        """The image as upright RGB; errors as for `Source`."""
        return read_embedded(*self._image(item), read_rgb)

    def read_mask(self, item: Item) -> UInt8[np.ndarray, "h w"] | None:
        """The ground truth, or None; errors as for `Source`."""
        found = self._mask(item)
        if found is None:
            return None
        content, name = found
        mask = read_embedded(content, name, partial(read_mask, num_classes=len(self.class_names)))
        size = read_embedded(*self._image(item), read_header).size
        check_mask_size(Path(name), mask.shape, size)
        return mask

    def fingerprint(self, split: str) -> str:
        """Hash of class names, ids, tags and image contents of a split."""
        return self._fingerprints[split][0]

    def mask_fingerprint(self, split: str) -> str:
        """Hash of class names, ids and mask contents of a split."""
        return self._fingerprints[split][1]

    @abstractmethod
    def _image(self, item: Item) -> tuple[bytes, str]:
        """The content of an image's file, and its name for messages."""

    @abstractmethod
    def _mask(self, item: Item) -> tuple[bytes, str] | None:
        """The content of a mask's file, and its name for messages; None where there is none."""


def fingerprints_of(
    class_names: Sequence[str], items: ItemTable, images: Iterable[bytes], masks: Iterable[bytes]
) -> Fingerprints:
    """Hashes of the weakly supervised part of a split, and of its ground truth.

    Args:
        class_names: of the data set.
        items: of the split.
        images: the `sample` of each image.
        masks: that of each mask; `NO_DIGEST` where there is none.
    """
    tagged = ([item_id, *tags] for item_id, tags in items.tags())
    return (
        fingerprint_of_rows(class_names, tagged, _joined(images)),
        fingerprint_of_rows(class_names, items.ids(), _joined(masks)),
    )


def _joined(samples: Iterable[bytes]) -> str:
    """Hash of samples in their order, as of files."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for one in samples:
        digest.update(one)
    return digest.hexdigest()
