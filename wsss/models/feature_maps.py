"""Feature maps of a batch, in parts that bound the memory of a CPU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

CPU_PX = 250_000
"""Pixels of a batch's images that a thread of a CPU sends through a network at once.

The network's inner maps take some kilobytes a pixel. More are no faster on one thread.
"""


def feature_maps(features: nn.Module, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
    """`features(images)` of a network in evaluation mode, whose images do not see each other.

    On a CPU the images are computed in parts, so that only the maps are in memory for all of them.
    Their bytes stay the same with the backbones of `configs/backbone/`; torch may round sums of
    networks with few channels otherwise.
    """
    together = max(1, CPU_PX // (images.shape[2] * images.shape[3]))
    if images.device.type != "cpu" or len(images) <= together:
        return features(images)  # type: ignore[no-any-return]
    return torch.cat([features(part) for part in torch.split(images, together)])
