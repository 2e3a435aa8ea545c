"""Refinements of seeds into pseudo masks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
from jaxtyping import UInt8, UInt16

from wsss.argument_checks import check_at_least, check_fraction, check_inside_unit, check_whole
from wsss.artifacts import Seeds
from wsss.data.resizing import resize_mask, shrink
from wsss.refine.background import Background, LevelBackground
from wsss.refine.crf_labelling import CrfLabelling
from wsss.refine.dense_crf.engine import DenseCrfEngine, Labels, Problem
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


class CrfRefinement(CrfLabelling, Refinement):
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

    @property
    def with_confidence(self) -> bool:
        """Whether unsure pixels become void."""
        return self.min_confidence > 0

    def problem(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> Problem:
        """The image at working size, and unary energies for every threshold."""
        working = shrink(image, self.max_side_px)
        maps = upsample(seeds.maps, working.shape[:2])
        unaries = [
            energies_from_softmax(self.background.before(maps, threshold))
            for threshold in self._thresholds(self.rule(maps))
        ]
        return Problem(working, unaries)

    def mask(
        self, found: Sequence[Labels], labels: UInt16[np.ndarray, " n"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w"]:
        """The mask on which the labels of all thresholds agree."""
        masks = [mask_of_labels(*one, labels, self.min_confidence) for one in found]
        return resize_mask(masks[0] if len(masks) == 1 else agreed(*masks), size)

    def _thresholds(self, threshold: float) -> tuple[float, ...]:
        """The threshold, or those on both sides of the void band."""
        if self.void_factor == 1:
            return (threshold,)
        high = min(threshold * self.void_factor, max(threshold, MAX_THRESHOLD))
        return threshold / self.void_factor, high
