"""The interface of a dense CRF: unary energies in, label probabilities out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from wsss.argument_checks import check_at_least, check_positive, check_whole
from wsss.errors import InvalidOptionError

MOST_LABELS = 256


class Labels(NamedTuple):
    """What masks are made of."""

    labels: UInt8[np.ndarray, "h w"]
    """Of the highest posterior; of equal ones the first."""
    confidence: Float32[np.ndarray, "h w"] | None
    """That posterior, if it was asked for."""


class Problem(NamedTuple):
    """What a dense CRF is to solve."""

    image: UInt8[np.ndarray, "h w 3"]
    """RGB."""
    unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    """One or more sets of energies, minus log-probabilities of the labels."""


class DenseCrfEngine(ABC):
    """Mean-field inference of a fully connected CRF (Krähenbühl and Koltun, NeurIPS 2011).

    Potts compatibility; a smoothness kernel on positions and an appearance kernel on positions and
    colours, both Gaussian and symmetrically normalised.
    """

    in_batches: ClassVar[bool] = False
    """Whether batches of images are faster than single ones, as on a GPU."""

    halvings: int = 0
    """How often a group of images was solved in two parts, as memory did not suffice."""

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
            device: torch's name of a device; None for the engine's default. It is validated by
                `check` and on use, as engines are also built in other processes.

        Raises:
            WsssError: a deviation is not above 0, or a weight or number of iterations negative.
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
        """Refuse a device that the engine does not support.

        Raises:
            WsssError: names the setting, and an engine for the device.
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

    def computes_on(self) -> str:
        """The kind of device, or the name of the card, as manifests tell it."""
        return "cpu"

    def compiles_first(self) -> bool:
        """Whether the first call compiles for seconds, as this machine has nothing compiled yet."""
        return False

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], energies: Float32[np.ndarray, "l h w"]
    ) -> Float32[np.ndarray, "l h w"]:
        """Posterior probability of each of `l` labels, summing to 1 over the labels.

        Args:
            image: RGB.
            energies: unary energies, minus log-probabilities of the labels; finite.

        Raises:
            ValueError: image and energies differ in size, or energies are not finite float32.
        """
        (posterior,) = self.solve(image, [energies])
        return posterior

    def solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors for several unaries of one image, each as by a call of its own.

        Kernels are built once, as for IRN's two unaries: confident foreground and background.

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

    def label(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        unaries: Sequence[Float32[np.ndarray, "_ h w"]],
        with_confidence: bool = False,
    ) -> list[Labels]:
        """The labels of highest posterior: less to copy from a GPU than posteriors.

        Args:
            image: RGB.
            unaries: energies as for a call, of 256 labels at most.
            with_confidence: whether the highest posteriors are wanted, too.

        Raises:
            ValueError: as for a call.
        """
        (found,) = self.label_batch([image], [unaries], with_confidence)
        return found

    def label_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
        with_confidence: bool = False,
    ) -> list[list[Labels]]:
        """The labels of several images of any sizes.

        Raises:
            ValueError: as for a call, or there are more than 256 labels.
        """
        for image, several in zip(images, unaries, strict=True):
            _check_problem(image, several)
            if (most := max(map(len, several), default=0)) > MOST_LABELS:
                raise ValueError(f"{most} labels: expected at most {MOST_LABELS}")
        return self._label_batch(images, unaries, with_confidence)

    @abstractmethod
    def _solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors for the unaries of one image; the arguments are valid."""

    def _solve_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        return [self._solve(*pair) for pair in zip(images, unaries, strict=True)]

    def _label_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
        with_confidence: bool,
    ) -> list[list[Labels]]:
        """Labels of the posteriors; an engine that need not copy those does so itself."""
        return [
            [_labels(posterior, with_confidence) for posterior in posteriors]
            for posteriors in self._solve_batch(images, unaries)
        ]


def _labels(posterior: Float32[np.ndarray, "l h w"], with_confidence: bool) -> Labels:
    labels = posterior.argmax(axis=0).astype(np.uint8)
    return Labels(labels, posterior.max(axis=0) if with_confidence else None)


def _check_problem(
    image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
) -> None:
    """Raise a ValueError for arguments that compiled code would read out of bounds."""
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
