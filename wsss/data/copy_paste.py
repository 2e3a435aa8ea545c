"""Objects of one image pasted onto another, with their labels."""

import numpy as np
from jaxtyping import UInt8

from wsss.data.sample import VOID_LABEL

_STREAM = 1
"""Tells these random numbers from those of the augmentations."""


def pasted(
    image: UInt8[np.ndarray, "h w 3"],
    mask: UInt8[np.ndarray, "h w"],
    other_image: UInt8[np.ndarray, "h w 3"],
    other_mask: UInt8[np.ndarray, "h w"],
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
    """An image and its mask with all pixels of another that have a class in front of it.

    Objects are seen apart from their usual surroundings, and labels stay as true as they were.

    Source: Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method for Instance
    Segmentation, CVPR 2021; there instances of true masks, without blending.
    """
    is_object = (other_mask != 0) & (other_mask != VOID_LABEL)
    return (
        np.where(is_object[..., None], other_image, image),
        np.where(is_object, other_mask, mask),
    )


def partner(
    probability: float, num_images: int, seed: int, epoch: int, index: int
) -> tuple[int, int] | None:
    """The image whose objects a sample gets, with a seed of its augmentation; None for none.

    Args:
        probability: that a sample gets any, in [0, 1].
        num_images: of the data set.
        seed: of the run.
        epoch: of the sample.
        index: of the sample's own image.
    """
    random = np.random.default_rng([seed, epoch, index, _STREAM])
    if random.random() >= probability:
        return None
    return int(random.integers(num_images)), int(random.integers(2**32))
