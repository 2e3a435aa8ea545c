"""Substrates: images that replace the masked parts of an image."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Substrate = Callable[[Tensor], Tensor]
"""From RGB images [b, 3, h, w] in [0, 1] to the replacement of masked pixels, same shape."""


class MeanColour:
    """The colour that is 0 in normalised space: the mean of the training images.

    The default of ADCC and RISE, whose masks multiply normalised images.
    """

    def __init__(self, mean: Float[Tensor, "3 1 1"]) -> None:
        """Hold the colour in [0, 1]."""
        self.mean = mean

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Images of that colour alone."""
        return self.mean.to(images).expand_as(images)


def black(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Black images."""
    return torch.zeros_like(images)


class Blur:
    """Blurred images, RISE's substrate of the insertion curve.

    Images are padded by replication, where RISE's code pads with the mean colour.
    """

    def __init__(self, kernel_px: int = 11, sigma_px: float = 5.0) -> None:
        """Set the Gaussian.

        Args:
            kernel_px: side of the kernel, odd.
            sigma_px: standard deviation of the Gaussian.

        Raises:
            ValueError: the kernel size is even.
        """
        if kernel_px < 1 or kernel_px % 2 == 0:
            raise ValueError(f"kernel_px={kernel_px}: expected an odd number")
        self.kernel_px = kernel_px
        self.sigma_px = sigma_px

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The blurred images."""
        radius = self.kernel_px // 2
        offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
        weights = torch.exp(-(offsets**2) / (2 * self.sigma_px**2))
        weights = (weights / weights.sum()).expand(3, 1, -1)
        padded = F.pad(images, [radius] * 4, mode="replicate")
        rows = F.conv2d(padded, weights[:, :, None, :], groups=3)
        return F.conv2d(rows, weights[:, :, :, None], groups=3)


def blend(
    images: Float[Tensor, "*batch 3 h w"],
    maps: Float[Tensor, "*batch h w"],
    substrate: Float[Tensor, "*batch 3 h w"],
) -> Float[Tensor, "*batch 3 h w"]:
    """The image where the map is 1, the substrate where it is 0, a mixture between.

    With the mean colour as substrate this is `x ⊙ M` in normalised space. It is exact for maps of 0
    and 1.
    """
    return torch.lerp(substrate, images, maps.unsqueeze(-3))
