"""Scores of background beside those of classes, given the threshold at which they are equal."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float32

from wsss.refine.thresholds import crossing_alpha


class Background(ABC):
    """The background's score at each pixel, from the maps of the image's tags."""

    @abstractmethod
    def score(
        self, maps: Float32[np.ndarray, "n h w"], threshold: float
    ) -> Float32[np.ndarray, "h w"]:
        """Scores in [0, 1], equal to the strongest map where that is `threshold`."""

    def before(
        self, maps: Float32[np.ndarray, "n h w"], threshold: float
    ) -> Float32[np.ndarray, "n1 h w"]:
        """The maps with the background's score before them."""
        return np.concatenate([self.score(maps, threshold)[None], maps])


class LevelBackground(Background):
    """The threshold itself as the score of every pixel."""

    def score(
        self, maps: Float32[np.ndarray, "n h w"], threshold: float
    ) -> Float32[np.ndarray, "h w"]:
        """The threshold at every pixel."""
        return np.full(maps.shape[1:], threshold, dtype=np.float32)


class PowerBackground(Background):
    """`(1 − max_c M_c)^α`, PSA's background score.

    Ahn and Kwak, CVPR 2018, equation 1. A smaller α gives more background.
    """

    def score(
        self, maps: Float32[np.ndarray, "n h w"], threshold: float
    ) -> Float32[np.ndarray, "h w"]:
        """The power whose exponent makes it equal to the strongest map at the threshold."""
        unclaimed = (1 - maps.max(axis=0, initial=0)).clip(0, 1)
        score: Float32[np.ndarray, "h w"]
        score = (unclaimed ** crossing_alpha(threshold)).astype(np.float32)
        return score


class ComplementBackground(Background):
    """What the maps leave of 1, for maps that are probabilities of the classes."""

    def score(
        self, maps: Float32[np.ndarray, "n h w"], threshold: float
    ) -> Float32[np.ndarray, "h w"]:
        """The rest `1 − Σ_c M_c` times the odds of the threshold, at most 1; as it is at 1/2."""
        rest = (1 - maps.sum(axis=0)).clip(0, 1)
        score: Float32[np.ndarray, "h w"]
        score = (rest * (threshold / (1 - threshold))).clip(0, 1).astype(np.float32)
        return score
