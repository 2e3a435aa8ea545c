"""Refinements: an image and its seeds in, a pseudo mask out."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import Seeds
from wsss.data.resizing import resize_mask, shrink
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.refine.dense_crf.unaries import energies_from_softmax
from wsss.refine.pseudo_label import label_mask, threshold_mask, upsample, with_background


class Refinement(ABC):
    """Turns the seeds of an image into a pseudo mask; picklable, so that processes can share it."""

    @abstractmethod
    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The pseudo mask of an RGB image: 0 background, 1…C the image's tags, 255 void."""


class Threshold(Refinement):
    """No refinement: the strongest map wins where it reaches a fixed threshold."""

    def __init__(self, bg_threshold: float = 0.3) -> None:
        """Take pixels whose maps stay below `bg_threshold`, in [0, 1], as background."""
        self.bg_threshold = bg_threshold

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The thresholded seeds at the image's size."""
        maps = upsample(seeds.maps, image.shape[:2])
        return threshold_mask(maps, seeds.labels, self.bg_threshold)


class CrfRefinement(Refinement):
    """A dense CRF on soft-max unaries with a label-free background score (PSA; SEAM)."""

    def __init__(
        self,
        engine: DenseCrfEngine,
        background_alpha: float | None = None,
        min_confidence: float = 0.0,
        max_side_px: int = 1024,
    ) -> None:
        """Set the engine and the background.

        Args:
            engine: infers the labels' probabilities.
            background_alpha: exponent of the background score `(1 − max)^α`; None estimates it
                for every image from its maps alone (`otsu_threshold`).
            min_confidence: pixels whose best posterior is lower become void.
            max_side_px: larger images are refined at this size and the mask enlarged, so that
                memory and time stay bounded.
        """
        self.engine = engine
        self.background_alpha = background_alpha
        self.min_confidence = min_confidence
        self.max_side_px = max_side_px

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The CRF's mask; an image without tags is background."""
        height, width = image.shape[:2]
        working = shrink(image, self.max_side_px)
        scores = with_background(upsample(seeds.maps, working.shape[:2]), self.background_alpha)
        posterior = self.engine(working, energies_from_softmax(scores))
        mask = label_mask(posterior, seeds.labels, self.min_confidence)
        return resize_mask(mask, (height, width))
