"""What every data set offers: items, images, tags, and masks behind a door of their own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from wsss.data.sample import Item, Sample
from wsss.errors import Problem

TRAIN = "train"
VAL = "val"
SPLITS = (TRAIN, VAL)
"""The two roles a split can play; sources map them onto their own lists."""


class Source(ABC):
    """A data set of images with image-level tags.

    Building a source reads its lists and no image. A source is picklable, so that loader workers
    and CRF processes can hold a copy, and stateless once built.
    """

    name: str
    """Short name of the data set, for tables and the report."""
    class_names: tuple[str, ...]
    """Names of the C classes; class `c` has the mask value `c + 1`."""

    @abstractmethod
    def items(self, split: str) -> tuple[Item, ...]:
        """All items of `train` or `val`, in a fixed order."""

    @abstractmethod
    def read_image(self, item: Item) -> UInt8[np.ndarray, "h w 3"]:
        """The image as upright RGB.

        Raises:
            WsssError: the file is missing, truncated or not an image.
        """

    @abstractmethod
    def read_mask(self, item: Item) -> UInt8[np.ndarray, "h w"] | None:
        """The ground truth: 0 background, 1…C classes, 255 void; None where there is none.

        Only the evaluation, and what is stamped `oracle`, may call this.

        Raises:
            WsssError: the file is unreadable, of another size than the image, or holds values
                that are no label.
        """

    @abstractmethod
    def fingerprint(self, split: str) -> str:
        """Hash of everything of the split that weak supervision may see: ids, tags, images."""

    @abstractmethod
    def mask_fingerprint(self, split: str) -> str:
        """Hash of the ground truth of the split, so that new masks renew the evaluation only."""

    def audit(self) -> Sequence[Problem]:
        """Everything wrong with the data set that can be seen without opening an image."""
        return ()

    def tags(self, item: Item) -> np.ndarray:
        """Multi-hot tags of an item, bool [C]."""
        tags = np.zeros(len(self.class_names), dtype=bool)
        tags[[label - 1 for label in item.labels]] = True
        return tags

    def read(self, item: Item) -> Sample:
        """The item as a sample without its mask.

        Raises:
            WsssError: the image cannot be read.
        """
        return Sample(item.id, self.read_image(item), self.tags(item))
