"""Augmentations of images and masks, by albumentations."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import UInt8

from wsss.data.resizing import resize_mask, shrink
from wsss.data.sample import VOID_LABEL
from wsss.machine.surroundings import variable

if TYPE_CHECKING:
    import albumentations

PADDING_RGB = (127, 127, 127)
"""Close to the mean colour: near zero once normalised."""


class Augmentation:
    """Random scale, crop, mirror and colour of an image and its mask, from an explicit seed.

    Every call is seeded, so that a sample is independent of the loader worker and of earlier
    samples. (Unseeded, albumentations 2.0.8 repeats augmentations in every worker and epoch.)
    """

    def __init__(
        self,
        crop_px: int,
        scale_min: float = 0.5,
        scale_max: float = 1.5,
        color_jitter: float = 0.3,
        max_side_px: int = 1024,
    ) -> None:
        """Set the ranges.

        Args:
            crop_px: side of the square crop; smaller images are padded, their masks with void.
            scale_min: lower bound of the random resize factor.
            scale_max: upper bound of the random resize factor.
            color_jitter: relative range of brightness, contrast and saturation; 0 for none.
            max_side_px: larger images are reduced to it first.
        """
        A = _albumentations()  # noqa: N806 (its usual name)
        self._arguments = (crop_px, scale_min, scale_max, color_jitter, max_side_px)
        self.crop_px = crop_px
        self.max_side_px = max_side_px
        steps: list[albumentations.BasicTransform] = [
            A.RandomScale(
                (scale_min - 1, scale_max - 1), p=1, mask_interpolation=cv2.INTER_NEAREST
            ),
            A.PadIfNeeded(
                crop_px, crop_px, border_mode=cv2.BORDER_CONSTANT, fill=PADDING_RGB,
                fill_mask=VOID_LABEL, position="random",
            ),
            A.RandomCrop(crop_px, crop_px),
            A.HorizontalFlip(p=0.5),
        ]  # fmt: skip
        if color_jitter:
            jitter = color_jitter
            steps.append(A.ColorJitter(jitter, jitter, jitter, hue=jitter / 6, p=0.8))
        self._compose = A.Compose(steps)

    def __reduce__(self) -> tuple[type["Augmentation"], tuple[float, ...]]:
        # Built anew in a loader worker: unpickling what albumentations has would import it there.
        return type(self), self._arguments

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], mask: UInt8[np.ndarray, "h w"], seed: int
    ) -> tuple[UInt8[np.ndarray, "s s 3"], UInt8[np.ndarray, "s s"]]:
        """Image and mask, augmented with `seed`."""
        image = shrink(image, self.max_side_px)
        mask = resize_mask(mask, (image.shape[0], image.shape[1]))
        self._compose.set_random_seed(seed)
        augmented = self._compose(image=image, mask=mask)
        return augmented["image"], augmented["mask"]


def _albumentations() -> ModuleType:
    """The library, which asks the internet for a newer version of itself when it is imported."""
    with variable("NO_ALBUMENTATIONS_UPDATE", "1"):
        return import_module("albumentations")
