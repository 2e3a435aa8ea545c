"""Data sets of image and mask files: reading and fingerprints."""

import copy
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import fingerprint, fingerprint_of_rows
from wsss.data.images import check_mask_size, read_header, read_mask, read_rgb
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import SPLITS
from wsss.data.sources.file_digests import FileDigests
from wsss.data.sources.listed_source import ListedSource
from wsss.errors import Problem


class FileSource(ListedSource):
    """A data set of image files, with mask files where there is ground truth."""

    _problems: list[Problem]
    """Of the lists."""
    _fingerprints: dict[str, tuple[str, str]] | None = None
    """By split, of what fingerprints see and of the ground truth, once `keep_index` was called."""

    def read_image(self, item: Item) -> UInt8[np.ndarray, "h w 3"]:
        """The image as upright RGB; errors as for `Source`."""
        return read_rgb(_image(item))

    def read_mask(self, item: Item) -> UInt8[np.ndarray, "h w"] | None:
        """The ground truth, or None; errors as for `Source`."""
        if item.mask is None:
            return None
        mask = read_mask(item.mask, len(self.class_names))
        check_mask_size(item.mask, mask.shape, read_header(_image(item)).size)
        return mask

    @property
    def reader(self) -> "FileSource":
        """This data set without its items, whose files are named in the items themselves."""
        reader = copy.copy(self)
        reader._items = {split: ItemTable.of((), self.root) for split in SPLITS}
        reader._problems = []
        return reader

    def fingerprint(self, split: str) -> str:
        """Hash of class names, ids, tags and image contents of a split."""
        return self._digests(split)[0]

    def mask_fingerprint(self, split: str) -> str:
        """Hash of class names, ids and mask contents of a split."""
        return self._digests(split)[1]

    def keep_index(self, folder: Path) -> None:
        """Keep digests of the files in a folder: a later run reads those alone that have changed.

        Until then, and for another instance, fingerprints read every file.
        """
        digests = FileDigests(folder / f"{fingerprint(str(self.root))}.npz").load()
        self._fingerprints = {split: self._fingerprints_of(split, digests) for split in SPLITS}
        digests.save()

    def _digests(self, split: str) -> tuple[str, str]:
        if self._fingerprints is not None:
            return self._fingerprints[split]
        return self._fingerprints_of(split, FileDigests())

    def _fingerprints_of(self, split: str, digests: FileDigests) -> tuple[str, str]:
        """Hashes of the weakly supervised part of a split, and of its ground truth."""
        items = self._items[split]
        tagged = ([item_id, *tags] for item_id, tags in items.tags())
        return (
            fingerprint_of_rows(self.class_names, tagged, digests.of(items.image_files())),
            fingerprint_of_rows(self.class_names, items.ids(), digests.of(items.mask_files())),
        )


def walk_files(folder: Path, suffixes: Iterable[str], hidden: bool = False) -> Iterator[Path]:
    """`walk_names` as paths."""
    return map(Path, walk_names(folder, suffixes, hidden))


def walk_names(folder: Path, suffixes: Iterable[str], hidden: bool = False) -> list[str]:
    """Files below a folder that end in one of the (lower case) suffixes, relative to it, sorted.

    Names have `/` between folders on every system.

    Links are followed, each folder is visited once, and hidden folders are left out.

    Args:
        folder: where to look.
        suffixes: endings of names.
        hidden: whether files like `.photo.jpg` are among them; `._photo.jpg`, which macOS writes
            beside `photo.jpg`, never are.
    """
    left_out = "._" if hidden else "."
    endings = tuple(suffixes)
    found: list[str] = []
    visited: set[Path] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        resolved = Path(here).resolve()
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        if resolved in visited:
            folders.clear()
            continue
        visited.add(resolved)
        place = Path(here).relative_to(folder)
        prefix = f"{place.as_posix()}/" if place.parts else ""
        found += [
            prefix + name
            for name in names
            if name.lower().endswith(endings) and not name.startswith(left_out)
        ]
    if any("/" in name for name in found):
        return sorted(found, key=lambda name: name.split("/"))
    return sorted(found)  # the same, in a third of the time


def _image(item: Item) -> Path:
    """The image file that every item of a `FileSource` has."""
    assert item.image is not None, item.id
    return item.image
