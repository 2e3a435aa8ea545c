"""The scale that a network's ImageNet weights expect of images."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Normalisation(nn.Module):
    """RGB in [0, 1] to zero mean and unit variance, by the mean and deviation timm knows of."""

    def __init__(self, network: nn.Module) -> None:
        """Take over the statistics of a network made by timm; they are no part of its weights."""
        super().__init__()
        config = cast("dict[str, Any]", network.pretrained_cfg)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The normalised images."""
        return (images - self.mean) / self.std
