"""Training data sets of augmented images, with tags or pseudo masks."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from wsss.data.copy_paste import partner, pasted
from wsss.data.kept_images import KeptImages
from wsss.data.random_seeds import sample_seed
from wsss.data.resizing import resize_mask, shrink
from wsss.data.sample import VOID_LABEL, Item
from wsss.data.source import Source
from wsss.data.transforms import Augmentation

MaskReader = Callable[[Item], UInt8[np.ndarray, "h w"]]


class TaggedBatch(TypedDict):
    """Input of a classifier's training step."""

    images: UInt8[Tensor, "b 3 s s"]
    tags: Float[Tensor, "b c"]


class MaskedBatch(TypedDict):
    """Input of a segmenter's training step."""

    images: UInt8[Tensor, "b 3 s s"]
    masks: UInt8[Tensor, "b s s"]


class AugmentedImages:
    """Images of a source with a seeded augmentation, addressed by (epoch, index)."""

    def __init__(
        self, source: Source, items: Sequence[Item], augmentation: Augmentation, seed: int
    ) -> None:
        self.source = source.reader
        self.items = items
        self.augmentation = augmentation
        self.seed = seed
        self.kept = KeptImages()
        """What was decoded, in this process; the loader says how much."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.items)

    def _read_image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """An image, of the size at which the augmentation takes it."""
        image = self.source.read_image(self.items[index])
        return shrink(image, self.augmentation.max_side_px)


class TaggedImages(AugmentedImages, Dataset[TaggedBatch]):
    """Augmented images with their tags."""

    def __getitem__(self, key: tuple[int, int]) -> TaggedBatch:
        """One image uint8 [3, s, s] and its tags float [C]."""
        epoch, index = key
        (image,) = self.kept.get(index, lambda: (self._read_image(index),))
        no_mask = np.full(image.shape[:2], VOID_LABEL, dtype=np.uint8)
        image, _ = self.augmentation(image, no_mask, sample_seed(self.seed, epoch, index))
        return {
            "images": to_tensor(image),
            "tags": torch.from_numpy(self.source.tags(self.items[index])).float(),
        }


class MaskedImages(AugmentedImages, Dataset[MaskedBatch]):
    """Augmented images with pseudo masks."""

    def __init__(
        self,
        source: Source,
        items: Sequence[Item],
        read_pseudo_mask: MaskReader,
        augmentation: Augmentation,
        seed: int,
        copy_paste: float = 0.0,
    ) -> None:
        super().__init__(source, items, augmentation, seed)
        self.read_pseudo_mask = read_pseudo_mask
        self.copy_paste = copy_paste
        """Probability that a sample gets the objects of another."""

    def __getitem__(self, key: tuple[int, int]) -> MaskedBatch:
        """One image uint8 [3, s, s] and its pseudo mask uint8 [s, s]."""
        epoch, index = key
        image, mask = self._augmented(index, sample_seed(self.seed, epoch, index))
        other = partner(self.copy_paste, len(self), self.seed, epoch, index)
        if other is not None:
            image, mask = pasted(image, mask, *self._augmented(*other))
        return {"images": to_tensor(image), "masks": torch.from_numpy(mask.copy())}

    def _augmented(self, index: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """An image and its pseudo mask of the size of a crop."""
        image, mask = self.kept.get(index, lambda: self._read(index))
        return self.augmentation(image, mask, seed)

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """An image and its pseudo mask, of one size."""
        image = self._read_image(index)
        mask = self.read_pseudo_mask(self.items[index])
        return image, resize_mask(mask, (image.shape[0], image.shape[1]))


def to_tensor(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
    """Channels first, contiguous."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
