"""Refinements of seeds into pseudo masks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
from jaxtyping import Float32, UInt8

from wsss.argument_checks import check_at_least, check_fraction, check_inside_unit, check_whole
from wsss.artifacts import Seeds
from wsss.data.resizing import resize_mask, shrink, shrunk_size
from wsss.errors import inside
from wsss.refine.background import Background, LevelBackground
from wsss.refine.dense_crf.engine import DenseCrfEngine, Labels
from wsss.refine.dense_crf.unaries import energies_from_softmax
from wsss.refine.pseudo_label import agreed, mask_of_labels, threshold_mask, upsample
from wsss.refine.thresholds import MAX_THRESHOLD, FixedThreshold, OtsuMean, ThresholdRule


class Refinement(ABC):
    """Turns the seeds of an image into a pseudo mask; picklable for worker processes."""

    rule: ThresholdRule
    """The background threshold; a pooled rule is replaced by its fitted threshold first."""

    @abstractmethod
    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The pseudo mask of an RGB image: 0 background, 1…C the image's tags, 255 void."""

    def check(self) -> None:  # noqa: B027 (most refinements work anywhere)
        """Refuse settings that cannot work on this machine.

        Raises:
            WsssError: names the setting.
        """

    @property
    def in_batches(self) -> bool:
        """Whether to call `batch` in the main process, rather than single images in workers."""
        return False

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The height and width at which an image of `size` is refined."""
        return size

    def batch(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], seeds: Sequence[Seeds]
    ) -> list[UInt8[np.ndarray, "_ _"]]:
        """The pseudo masks of several images of any sizes."""
        return [self(*pair) for pair in zip(images, seeds, strict=True)]

    def with_rule(self, rule: ThresholdRule) -> Self:
        """The same refinement with another background threshold."""
        other = copy(self)
        other.rule = rule
        return other


class Threshold(Refinement):
    """No refinement: the label of the strongest map where that reaches a threshold."""

    def __init__(self, bg_threshold: float | ThresholdRule = 0.3) -> None:
        """Take pixels whose maps stay below `bg_threshold`, in (0, 1), as background.

        Raises:
            WsssError: a number is not in (0, 1).
        """
        if isinstance(bg_threshold, ThresholdRule):
            self.rule = bg_threshold
        else:
            check_inside_unit(bg_threshold=bg_threshold)
            self.rule = FixedThreshold(bg_threshold)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The thresholded seeds at the image's size."""
        maps = upsample(seeds.maps, image.shape[:2])
        return threshold_mask(maps, seeds.labels, self.rule(maps))


class CrfRefinement(Refinement):
    """A dense CRF on soft-max unaries with a label-free background score (PSA; SEAM)."""

    def __init__(
        self,
        engine: DenseCrfEngine,
        threshold: ThresholdRule | None = None,
        background: Background | None = None,
        min_confidence: float = 0.0,
        void_factor: float = 1.0,
        max_side_px: int = 1024,
    ) -> None:
        """Set the engine and the background.

        Args:
            engine: infers the labels' probabilities.
            threshold: where a class and background are equally likely; None is `OtsuMean`.
            background: the background's score around that threshold; None is `LevelBackground`.
            min_confidence: pixels of a lower posterior become void; 0 makes none void.
            void_factor: 1 or more. Pixels become void where the masks for threshold / factor and
                threshold · factor (at most 0.95) disagree; 1 solves once, for the threshold.
            max_side_px: larger images are refined at this size and the mask enlarged.

        Raises:
            WsssError: a setting is out of range.
        """
        check_fraction(min_confidence=min_confidence)
        check_at_least(1, void_factor=void_factor)
        check_whole(1, max_side_px=max_side_px)
        self.engine = engine
        self.rule = threshold or OtsuMean()
        self.background = background or LevelBackground()
        self.min_confidence = min_confidence
        self.void_factor = void_factor
        self.max_side_px = max_side_px

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The CRF's mask; an image without tags is background."""
        working, unaries = self._problem(image, seeds)
        found = self.engine.label(working, unaries, self.min_confidence > 0)
        return self._mask(found, image, seeds)

    def check(self) -> None:
        """Refuse an engine that cannot work here.

        Raises:
            WsssError: names the setting.
        """
        with inside("engine"):
            self.engine.check()

    @property
    def in_batches(self) -> bool:
        """Whether the engine is faster on batches of images."""
        return self.engine.in_batches

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size, or one with a longer side of `max_side_px`."""
        return shrunk_size(size, self.max_side_px)

    def batch(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], seeds: Sequence[Seeds]
    ) -> list[UInt8[np.ndarray, "_ _"]]:
        """The CRF's masks of several images, solved together."""
        problems = [self._problem(*pair) for pair in zip(images, seeds, strict=True)]
        working, unaries = map(list, zip(*problems, strict=True))
        found = self.engine.label_batch(working, unaries, self.min_confidence > 0)
        return [self._mask(*parts) for parts in zip(found, images, seeds, strict=True)]

    def _problem(
        self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds
    ) -> tuple[UInt8[np.ndarray, "h1 w1 3"], list[Float32[np.ndarray, "l h1 w1"]]]:
        """The image at working size, and unary energies for every threshold."""
        working = shrink(image, self.max_side_px)
        maps = upsample(seeds.maps, working.shape[:2])
        return working, [
            energies_from_softmax(self.background.before(maps, threshold))
            for threshold in self._thresholds(self.rule(maps))
        ]

    def _mask(
        self,
        found: Sequence[Labels],
        image: UInt8[np.ndarray, "h w 3"],
        seeds: Seeds,
    ) -> UInt8[np.ndarray, "h w"]:
        """The mask on which the labels of all thresholds agree, at the image's size."""
        masks = [mask_of_labels(*one, seeds.labels, self.min_confidence) for one in found]
        mask = masks[0] if len(masks) == 1 else agreed(*masks)
        return resize_mask(mask, (image.shape[0], image.shape[1]))

    def _thresholds(self, threshold: float) -> tuple[float, ...]:
        """The threshold, or those on both sides of the void band."""
        if self.void_factor == 1:
            return (threshold,)
        high = min(threshold * self.void_factor, max(threshold, MAX_THRESHOLD))
        return threshold / self.void_factor, high
