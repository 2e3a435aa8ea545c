"""Data sets whose images are parts of larger files: shards, tables."""

from abc import abstractmethod
from collections.abc import Iterable
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
from wsss.data.sample import Item
from wsss.data.source import SPLITS
from wsss.data.sources.file_digests import DIGEST_BYTES
from wsss.data.sources.listed_source import ListedSource


class EmbeddedSource(ListedSource):
    """A data set that reads the encoded images of its items out of larger files, in any order.

    Its fingerprints are those of a folder data set of the same ids, tags, and files: results of the
    one are results of the other.
    """

    _fingerprints: dict[str, tuple[str, str]] | None = None
    """By split, of what fingerprints see and of the ground truth, once `keep_index` was called."""

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
        return self._digests(split)[0]

    def mask_fingerprint(self, split: str) -> str:
        """Hash of class names, ids and mask contents of a split."""
        return self._digests(split)[1]

    def keep_index(self, folder: Path) -> None:
        """Keep the fingerprints in this instance: every stage asks for them. No file is written."""
        self._fingerprints = {split: self._fingerprints_of(split) for split in SPLITS}

    def _digests(self, split: str) -> tuple[str, str]:
        if self._fingerprints is not None:
            return self._fingerprints[split]
        return self._fingerprints_of(split)

    def _fingerprints_of(self, split: str) -> tuple[str, str]:
        """Hashes of the weakly supervised part of a split, and of its ground truth."""
        items = self._items[split]
        tagged = ([item_id, *tags] for item_id, tags in items.tags())
        images, masks = (_joined(self._samples(split, masks)) for masks in (False, True))
        return (
            fingerprint_of_rows(self.class_names, tagged, images),
            fingerprint_of_rows(self.class_names, items.ids(), masks),
        )

    @abstractmethod
    def _image(self, item: Item) -> tuple[bytes, str]:
        """The content of an image's file, and its name for messages."""

    @abstractmethod
    def _mask(self, item: Item) -> tuple[bytes, str] | None:
        """The content of a mask's file, and its name for messages; None where there is none."""

    @abstractmethod
    def _samples(self, split: str, masks: bool) -> Iterable[bytes]:
        """The `sample` of each image, or mask, of a split; `b"none"` where there is none."""


def _joined(samples: Iterable[bytes]) -> str:
    """Hash of samples in their order, as of files."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for one in samples:
        digest.update(one)
    return digest.hexdigest()
