"""COCO 2014: photographs of everyday scenes, with the tags and masks of its instances.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014.
"""

import copy
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import fingerprint_of_rows
from wsss.data.alike_problems import group_alike
from wsss.data.images import check_mask_size, read_header
from wsss.data.item_table import ItemTable, Row
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, VAL
from wsss.data.sources.class_texts import COCO_TEXTS
from wsss.data.sources.coco.instance_index import indexed_instances
from wsss.data.sources.coco.instances import Instances, annotations_in
from wsss.data.sources.coco.kept_bytes import Bytes
from wsss.data.sources.coco.rendering import class_mask
from wsss.data.sources.coco.split_files import SplitFiles, split_files
from wsss.data.sources.file_digests import FileDigests
from wsss.data.sources.file_source import FileSource
from wsss.errors import Problem, user_error
from wsss.wording import name_some, plural

RULE = 1
"""Raised when the same instances are drawn in another way."""


class _Content(NamedTuple):
    """What the files of instances hold."""

    class_names: tuple[str, ...]
    labels: dict[int, int]
    """Mask values 1…C by COCO's ids of categories."""
    items: dict[str, ItemTable]
    texts: dict[str, Bytes]
    """Annotations by split, of which each item's place names its own."""
    digests: dict[str, str]
    """Of the ground truth, by split."""
    problems: list[Problem]


class Coco(FileSource):
    """The images of COCO with the categories of their instances, masks drawn from these.

    An image's tags are the categories of all its instances, crowds included, as in published code
    (ReCAM's `COCOClassificationDataset`). Classes are the categories in the order of their ids,
    which have gaps: 80 of them, 1 to 90, become the mask values 1 to 80.

    The place of an item is the number of its split, where its annotations begin and end in the
    split's text, and its height and width.
    """

    class_texts = COCO_TEXTS

    def __init__(
        self,
        root: str | Path,
        train: str = "train2014",
        val: str = "val2014",
        without_objects: bool = False,
        name: str = "coco14",
    ) -> None:
        """Find the files; the instances are read when something of them is asked for.

        Args:
            root: the folder that holds annotations/instances_<split>.json, and the images in
                <split>/ or images/<split>/.
            train: name of the split to train on.
            val: name of the split to validate with.
            without_objects: whether images without instances take part, as background alone;
                published results train on the 82,081 of 82,783 images that have some, and are
                scored on 40,137 of 40,504.
            name: short name of the data set.

        Raises:
            WsssError: files or folders are missing, or, when they are read, damaged.
        """
        self.name = name
        self.root = Path(root).expanduser().absolute()
        self._files = split_files(self.root, {TRAIN: train, VAL: val})
        self._keeps_all = without_objects

    @cached_property
    def _content(self) -> _Content:
        return self._read(None)

    @property
    def class_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the C classes."""
        return self._content.class_names

    @property
    def _items(self) -> dict[str, ItemTable]:  # type: ignore[override]
        return self._content.items

    @property
    def _problems(self) -> list[Problem]:  # type: ignore[override]
        return self._content.problems

    @property
    def reader(self) -> "Coco":
        """This data set without its items, which tell themselves where they are."""
        reader = copy.copy(self)
        none = {split: ItemTable.of((), self.root) for split in SPLITS}
        reader._content = self._content._replace(items=none, problems=[])
        return reader

    def keep_index(self, folder: Path) -> None:
        """Keep what is read in a folder: a later run reads those files alone that have changed."""
        self._content = self._read(folder)
        super().keep_index(folder)

    def inspect(self) -> Sequence[Problem]:
        """Problems of the lists, grouped."""
        return group_alike([*self._problems, *super().inspect()])

    def read_mask(self, item: Item) -> UInt8[np.ndarray, "h w"] | None:
        """The ground truth, drawn from the instances, or None where one has no segmentation."""
        number, start, stop, height, width = item.place
        split = SPLITS[number]
        where = f"{self._files[split].instances}, {item.id}"
        try:
            annotations = annotations_in(self._content.texts[split][start:stop])
            mask = class_mask(annotations, self._content.labels, (height, width))
        except ValueError as error:
            raise user_error(
                where,
                f"a segmentation that is {error}",
                "polygons, or run lengths of the image's size",
                "Extract the archive of annotations again, or correct the file.",
            ) from error
        if mask is not None:
            assert item.image is not None
            check_mask_size(Path(where), mask.shape, read_header(item.image).size)
        return mask

    def _fingerprints_of(self, split: str, digests: FileDigests) -> tuple[str, str]:
        weak, _ = super()._fingerprints_of(split, digests)
        content = self._content
        truth = [RULE, content.digests[split]]
        return weak, fingerprint_of_rows(content.class_names, content.items[split].ids(), truth)

    def _read(self, folder: Path | None) -> _Content:
        """What is in the files of instances, kept in a folder."""
        read = {split: indexed_instances(self._files[split].instances, folder) for split in SPLITS}
        categories = read[TRAIN].categories
        if [*categories.items()] != [*read[VAL].categories.items()]:
            raise user_error(
                self._files[VAL].instances,
                f"other categories than those of {self._files[TRAIN].instances.name}",
                "the same categories for both splits",
                "Take the files of one archive.",
            )
        items, problems = {}, []
        for split in SPLITS:
            rows, missing = self._rows(split, read[split])
            items[split] = ItemTable.of_files(rows, self.root)
            problems += [*_missing_images(self._files[split], missing)]
        return _Content(
            tuple(categories.values()),
            {category: label for label, category in enumerate(categories, 1)},
            items,
            {split: read[split].text for split in SPLITS},
            {split: read[split].digest for split in SPLITS},
            problems,
        )

    def _rows(self, split: str, read: Instances) -> tuple[Iterator[Row], list[str]]:
        """Items of a split, and the images that are not there, once all items were taken."""
        folder, missing = self._files[split].images, list[str]()
        present = frozenset(os.listdir(folder))  # noqa: PTH208 – names are all that is needed
        number, prefix = SPLITS.index(split), f"{folder}{os.sep}"

        def rows() -> Iterator[Row]:
            places = zip(
                read.text_starts[:-1].tolist(),
                read.text_starts[1:].tolist(),
                *read.sides.T.tolist(),
                strict=True,
            )
            for image, (file, place) in enumerate(zip(read.files, places, strict=True)):
                if file not in present:
                    missing.append(file)
                elif self._keeps_all or read.has_objects(image):
                    labels = read.labels_of(image)
                    yield PurePosixPath(file).stem, labels, prefix + file, "", (number, *place)

        return rows(), missing


def _missing_images(files: SplitFiles, missing: Sequence[str]) -> Iterator[Problem]:
    """A problem if images are not in their folder."""
    if missing:
        yield Problem(
            str(files.images),
            f"{plural(len(missing), 'image is', 'images are')} not there: {name_some(missing)}",
            f"all images of {files.instances.name}",
            f"Extract {files.archive} again.",
        )
