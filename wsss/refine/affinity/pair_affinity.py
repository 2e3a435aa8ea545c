"""What a source of affinities is."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.artifacts import SEED_STRIDE
from wsss.models import SplitClassifier
from wsss.models.capture import outputs_of


class PixelRelations(NamedTuple):
    """How the pixels of maps at a quarter of the images' size belong together."""

    affinity: Float[Tensor, "b k h w"]
    """Of every pixel and its neighbours `pair_offsets(radius)`, in [0, 1]."""
    boundary: Float[Tensor, "b h w"]
    """How surely a pixel is on a boundary, in [0, 1]; 0 where nothing is known of boundaries."""


class PairAffinity(ABC):
    """Computes the affinity of neighbouring pixels from what a classifier knows."""

    radius: int
    """Pairs nearer than this, in pixels of the map."""

    @abstractmethod
    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that lacks what is needed.

        Raises:
            WsssError: names what is missing, and what has it.
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
