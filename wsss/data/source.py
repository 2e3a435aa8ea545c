"""The interface of data sets: items, images, tags and ground-truth masks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from wsss.data.sample import Item
from wsss.errors import Problem

TRAIN = "train"
VAL = "val"
SPLITS = (TRAIN, VAL)
"""The two splits; sources map them onto their own lists."""


class Source(ABC):
    """A data set of images with image-level tags.

    The constructor reads lists, no images. A source is picklable for loader workers and CRF
    processes, and stateless once built.
    """

    name: str
    """Short name of the data set, for tables and the report."""
    class_names: tuple[str, ...]
    """Names of the C classes; class `c` has the mask value `c + 1`."""
    class_texts: Mapping[str, str] = {}
    """What texts call a class, by its name, where that is another word or has synonyms."""
    described: str = ""
    """How the user's lists were read, in a line; empty where there is one way only."""

    @abstractmethod
    def items(self, split: str) -> Sequence[Item]:
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

        Only the evaluation and results marked `oracle` may use it.

        Raises:
            WsssError: the file is unreadable, of another size than the image, or holds values
                that are no label.
        """

    @abstractmethod
    def fingerprint(self, split: str) -> str:
        """Hash of the weakly supervised part of a split: ids, tags, images."""

    @abstractmethod
    def mask_fingerprint(self, split: str) -> str:
        """Hash of the ground truth of a split, which invalidates the evaluation only."""

    def keep_index(self, folder: Path) -> None:  # noqa: B027 – few have something to keep
        """Keep in a folder what fingerprints take long to find, for later runs; by default nothing.

        It holds for this instance, whose data does not change from then on.
        """

    @property
    def address(self) -> str:
        """Where the data set is, as a URI; empty where it is drawn, not stored."""
        return ""

    @property
    def reader(self) -> "Source":
        """This data set without its items: what reads one, and is quickly sent to a process."""
        return self

    def inspect(self) -> Sequence[Problem]:
        """All problems of the data set that can be found without opening an image."""
        return ()

    def tags(self, item: Item) -> np.ndarray:
        """Multi-hot tags of an item, bool [C]."""
        tags = np.zeros(len(self.class_names), dtype=bool)
        tags[[label - 1 for label in item.labels]] = True
        return tags

    def tag_matrix(self, items: Sequence[Item]) -> Bool[np.ndarray, "n c"]:
        """Multi-hot tags of items."""
        matrix = np.zeros((len(items), len(self.class_names)), dtype=bool)
        for row, item in enumerate(items):
            matrix[row] = self.tags(item)
        return matrix
