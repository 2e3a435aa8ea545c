"""The interface of affinities of neighbouring pixels."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.artifacts import SEED_STRIDE
from wsss.models import SplitClassifier
from wsss.models.layer_outputs import outputs_of


class PixelRelations(NamedTuple):
    """Affinities and boundaries in maps at a quarter of the images' size."""

    affinity: Float[Tensor, "b k h w"]
    """Of every pixel and its neighbours `pair_offsets(radius)`, in [0, 1]."""
    boundary: Float[Tensor, "b h w"]
    """Probability of a boundary at each pixel, in [0, 1]; 0 for methods without boundaries."""


class PairAffinity(ABC):
    """Computes the affinity of neighbouring pixels with a classifier."""

    radius: int
    """Pairs nearer than this, in pixels of the map."""

    @abstractmethod
    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that the method does not support.

        Raises:
            WsssError: names the missing part.
        """

    @abstractmethod
    def __call__(self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]) -> PixelRelations:
        """Relations in maps of `[H / 4, W / 4]` of RGB images in [0, 1]; sides divide by 4."""


def grid_of(images: Float[Tensor, "b 3 H W"]) -> tuple[int, int]:
    """Height and width of the images' maps."""
    return images.shape[2] // SEED_STRIDE, images.shape[3] // SEED_STRIDE


def inner_maps(
    features: nn.Module, layers: list[nn.Module], images: Float[Tensor, "b 3 H W"]
) -> list[Float[Tensor, "b _ _ _"]]:
    """Outputs of inner layers of a backbone, without gradients.

    Args:
        features: the backbone.
        layers: modules in it.
        images: RGB in [0, 1].
    """
    with torch.no_grad(), outputs_of(layers) as outputs:
        features(images)
    return outputs
