"""The interface of a dense CRF: unary energies in, label probabilities out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, UInt8


class DenseCrfEngine(ABC):
    """Mean-field inference of a fully connected CRF (Krähenbühl and Koltun, NeurIPS 2011).

    Potts compatibility; a Gaussian kernel on positions, which smooths, and a bilateral kernel on
    positions and colours, which snaps labels to contours; both symmetrically normalised.
    """

    in_batches: ClassVar[bool] = False
    """Whether many images at once are solved faster than one after the other, as on a GPU."""

    def __init__(
        self,
        gaussian_sxy_px: float = 3,
        gaussian_compat: float = 3,
        bilateral_sxy_px: float = 80,
        bilateral_srgb: float = 13,
        bilateral_compat: float = 10,
        num_iterations: int = 10,
    ) -> None:
        """Set the kernels.

        Args:
            gaussian_sxy_px: standard deviation of the smoothness kernel in pixels.
            gaussian_compat: its weight.
            bilateral_sxy_px: spatial standard deviation of the appearance kernel in pixels.
            bilateral_srgb: its standard deviation in RGB levels of 0…255.
            bilateral_compat: its weight.
            num_iterations: mean-field iterations.
        """
        self.gaussian_sxy_px = gaussian_sxy_px
        self.gaussian_compat = gaussian_compat
        self.bilateral_sxy_px = bilateral_sxy_px
        self.bilateral_srgb = bilateral_srgb
        self.bilateral_compat = bilateral_compat
        self.num_iterations = num_iterations

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], energies: Float32[np.ndarray, "l h w"]
    ) -> Float32[np.ndarray, "l h w"]:
        """Posterior probability of each of `l` labels, summing to 1 over the labels.

        Args:
            image: RGB.
            energies: unary energies, minus the logarithm of the labels' probabilities.
        """
        (posterior,) = self.solve(image, [energies])
        return posterior

    @abstractmethod
    def solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "l h w"]]
    ) -> list[Float32[np.ndarray, "l h w"]]:
        """Posteriors for several unaries of one image, each as by a call of its own.

        What depends on the image alone is done once: IRN solves for sure foreground and sure
        background, two unaries of the same image.
        """

    def solve_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        """Posteriors of several images of any sizes, each with one or more unaries of its own."""
        return [self.solve(*pair) for pair in zip(images, unaries, strict=True)]
