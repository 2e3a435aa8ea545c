"""The interface of a dense CRF: unary energies in, label probabilities out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, UInt8

from wsss.errors import InvalidOptionError
from wsss.validation import check_at_least, check_positive, check_whole


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
        device: str | None = None,
    ) -> None:
        """Set the kernels and the device.

        Args:
            gaussian_sxy_px: standard deviation of the smoothness kernel in pixels.
            gaussian_compat: its weight.
            bilateral_sxy_px: spatial standard deviation of the appearance kernel in pixels.
            bilateral_srgb: its standard deviation in RGB levels of 0…255.
            bilateral_compat: its weight.
            num_iterations: mean-field iterations.
            device: torch's name of what to compute on; None: what the engine is made for. It is
                looked for by `check`, and when it is needed, since an engine may be made in another
                process.

        Raises:
            WsssError: a deviation is not above 0, or a weight or the number of iterations is below.
        """
        check_positive(
            gaussian_sxy_px=gaussian_sxy_px,
            bilateral_sxy_px=bilateral_sxy_px,
            bilateral_srgb=bilateral_srgb,
        )
        check_at_least(0, gaussian_compat=gaussian_compat, bilateral_compat=bilateral_compat)
        check_whole(0, num_iterations=num_iterations)
        self.gaussian_sxy_px = gaussian_sxy_px
        self.gaussian_compat = gaussian_compat
        self.bilateral_sxy_px = bilateral_sxy_px
        self.bilateral_srgb = bilateral_srgb
        self.bilateral_compat = bilateral_compat
        self.num_iterations = num_iterations
        self.device = device

    def check(self) -> None:
        """Refuse a device that is not the engine's, and an engine that cannot work here.

        Raises:
            WsssError: names the setting, and an engine that can.
        """
        if self.device not in (None, "cpu"):
            raise InvalidOptionError(
                "device",
                self.device,
                "cpu, or an engine for GPUs",
                f"a {type(self).__name__} computes on the CPU",
                "Use a TorchEngine, or leave the device out.",
                {"engine for GPUs"},
            )

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], energies: Float32[np.ndarray, "l h w"]
    ) -> Float32[np.ndarray, "l h w"]:
        """Posterior probability of each of `l` labels, summing to 1 over the labels.

        Args:
            image: RGB.
            energies: unary energies, minus the logarithm of the labels' probabilities; finite.

        Raises:
            ValueError: image and energies do not belong together, or energies are not finite, or of
                another type.
        """
        (posterior,) = self.solve(image, [energies])
        return posterior

    def solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors for several unaries of one image, each as by a call of its own.

        What depends on the image alone is done once: IRN solves for sure foreground and sure
        background, two unaries of the same image.

        Raises:
            ValueError: as for a call.
        """
        _check_problem(image, unaries)
        return self._solve(image, unaries)

    def solve_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        """Posteriors of several images of any sizes, each with one or more unaries of its own.

        Raises:
            ValueError: as for a call.
        """
        for image, several in zip(images, unaries, strict=True):
            _check_problem(image, several)
        return self._solve_batch(images, unaries)

    @abstractmethod
    def _solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors for the unaries of one image; both have been checked."""

    def _solve_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        return [self._solve(*pair) for pair in zip(images, unaries, strict=True)]


def _check_problem(
    image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
) -> None:
    """Refuse what compiled code would read out of bounds, or get wrong.

    Raises:
        ValueError: says what came and what was expected.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            f"image {image.dtype} {image.shape}: expected uint8 (height, width, 3), none of them 0"
        )
    for energies in unaries:
        if energies.dtype != np.float32:
            raise ValueError(f"energies {energies.dtype}: expected float32")
        if energies.shape[1:] != image.shape[:2] or len(energies) == 0:
            raise ValueError(
                f"energies {energies.shape} of an image {image.shape}: expected (labels, "
                f"{image.shape[0]}, {image.shape[1]})"
            )
        if not np.isfinite(energies).all():
            raise ValueError(
                "energies: infinite, or not a number; expected finite ones, since a probability of "
                "0 leaves a label no chance whatever its neighbours are"
            )
