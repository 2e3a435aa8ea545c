"""Training data sets of augmented images, with tags or pseudo masks."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from wsss.data.random_seeds import sample_seed
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
    masks: Int64[Tensor, "b s s"]


class _AugmentedImages:
    """Images of a source with a seeded augmentation."""

    def __init__(
        self, source: Source, items: Sequence[Item], augmentation: Augmentation, seed: int
    ) -> None:
        self.source = source
        self.items = items
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        """Number of images."""
        return len(self.items)


class TaggedImages(_AugmentedImages, Dataset[TaggedBatch]):
    """Augmented images with their tags, addressed by (epoch, index)."""

    def __getitem__(self, key: tuple[int, int]) -> TaggedBatch:
        """One image uint8 [3, s, s] and its tags float [C]."""
        epoch, index = key
        item = self.items[index]
        image = self.source.read_image(item)
        no_mask = np.full(image.shape[:2], VOID_LABEL, dtype=np.uint8)
        image, _ = self.augmentation(image, no_mask, sample_seed(self.seed, epoch, index))
        return {
            "images": to_tensor(image),
            "tags": torch.from_numpy(self.source.tags(item)).float(),
        }


class MaskedImages(_AugmentedImages, Dataset[MaskedBatch]):
    """Augmented images with pseudo masks, addressed by (epoch, index)."""

    def __init__(
        self,
        source: Source,
        items: Sequence[Item],
        read_pseudo_mask: MaskReader,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        super().__init__(source, items, augmentation, seed)
        self.read_pseudo_mask = read_pseudo_mask

    def __getitem__(self, key: tuple[int, int]) -> MaskedBatch:
        """One image uint8 [3, s, s] and its pseudo mask int64 [s, s]."""
        epoch, index = key
        item = self.items[index]
        image, mask = self.augmentation(
            self.source.read_image(item),
            self.read_pseudo_mask(item),
            sample_seed(self.seed, epoch, index),
        )
        return {"images": to_tensor(image), "masks": torch.from_numpy(mask.astype(np.int64))}


def to_tensor(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
    """Channels first, contiguous."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
