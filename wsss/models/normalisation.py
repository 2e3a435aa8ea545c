"""Normalisation of images by the statistics of a network's training images."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Normalisation(nn.Module):
    """RGB in [0, 1] to zero mean and unit variance, by the statistics of the training images."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Hold mean and standard deviation of each colour, in no state dict."""
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @classmethod
    def of(cls, network: nn.Module) -> "Normalisation":
        """The statistics of a network made by timm."""
        config = cast("dict[str, Any]", network.pretrained_cfg)
        return cls(config["mean"], config["std"])

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The normalised images."""
        return (images - self.mean) / self.std
