"""Features of several layers side by side at every cell of a feature map."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.models.layer_outputs import outputs_of


def hypercolumns(
    features: nn.Module, layers: Sequence[nn.Module], images: Float[Tensor, "b 3 H W"]
) -> Float[Tensor, "b k h w"]:
    """The last feature map with inner layers at its size behind it, without gradients.

    Larger maps are averaged over the last one's cells, smaller ones interpolated (Hariharan,
    Arbeláez, Girshick and Malik, CVPR 2015, who interpolate all).

    Args:
        features: images to a feature map.
        layers: modules in it.
        images: RGB in [0, 1].
    """
    with torch.no_grad(), outputs_of(layers) as inner:
        last: Tensor = features(images)
    size = (last.shape[2], last.shape[3])
    return torch.cat([last, *(_at_size(one, size) for one in inner)], dim=1)


def _at_size(maps: Float[Tensor, "b k _ _"], size: tuple[int, int]) -> Float[Tensor, "b k h w"]:
    """Maps of another size, averaged where that is the smaller one."""
    if maps.shape[2] >= size[0] and maps.shape[3] >= size[1]:
        return F.adaptive_avg_pool2d(maps, size)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
