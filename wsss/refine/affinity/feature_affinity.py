"""Affinity without training, from the features of a frozen classifier."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from wsss.argument_checks import check_layers, check_positive, check_whole
from wsss.models import SplitClassifier
from wsss.models.affinity_heads import resize
from wsss.refine.affinity.colours import colour_similarity
from wsss.refine.affinity.paths import neighbour, pair_offsets
from wsss.refine.affinity.pixel_pair_affinity import (
    PairAffinity,
    PixelRelations,
    grid_of,
    inner_maps,
)


class FeatureAffinity(PairAffinity):
    """Cosine similarity of features times a Gaussian of colours; our own, nothing is learned.

    `A_ij = max(0, mean_l cos(f_l,i, f_l,j)) · exp(−|c_i − c_j|² / 2σ²)`, where `f_l` are the
    features of layer `l` minus their mean over the image, and `c` the colours; all at a quarter of
    the image's size. Of a backbone without inner layers the feature map is used.
    """

    def __init__(
        self,
        radius: int = 5,
        layers: Sequence[str] | None = None,
        sigma_rgb: float | None = 30.0,
        centred: bool = True,
    ) -> None:
        """Set the terms of the affinity.

        Args:
            radius: pairs nearer than this, in pixels of the map.
            layers: names of inner layers; None takes all.
            sigma_rgb: standard deviation of colours, in RGB levels of 0…255; None leaves colours
                out.
            centred: subtract the features' mean over the image.

        Raises:
            WsssError: the radius is below 2, or the deviation not above 0.
        """
        check_whole(2, radius=radius)
        if sigma_rgb is not None:
            check_positive(sigma_rgb=sigma_rgb)
        self.radius = radius
        self.layers = layers
        self.sigma_rgb = sigma_rgb
        self.centred = centred

    def check(self, model: SplitClassifier) -> None:
        """Refuse names of layers that the model does not have.

        Raises:
            InvalidOptionError: names those that it has.
        """
        check_layers(self.layers or (), model.inner_layers)

    def __call__(self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]) -> PixelRelations:
        """Affinities from features and colours; no boundaries."""
        size = grid_of(images)
        names = list(model.inner_layers) if self.layers is None else self.layers
        layers = [model.inner_layers[name] for name in names] or [model.features]
        similarities = [
            cosine_similarity(resize(features, size), self.radius, self.centred)
            for features in inner_maps(model.features, layers, images)
        ]
        affinity = torch.stack(similarities).mean(dim=0).clamp(0, 1)
        if self.sigma_rgb is not None:
            colours = F.interpolate(images, size, mode="area")
            affinity = affinity * colour_similarity(colours, self.radius, self.sigma_rgb)
        return PixelRelations(affinity, images.new_zeros((len(images), *size)))


def cosine_similarity(
    features: Float[Tensor, "b c h w"], radius: int, centred: bool
) -> Float[Tensor, "b k h w"]:
    """Cosine of the angle between every pixel's features and its neighbours'; 0 outside the map.

    Args:
        features: of one layer.
        radius: pairs nearer than this.
        centred: subtract the mean over the map first.
    """
    if centred:
        features = features - features.mean(dim=(2, 3), keepdim=True)
    unit = F.normalize(features, dim=1)
    pairs = [(unit * neighbour(unit, offset, 0.0)).sum(dim=1) for offset in pair_offsets(radius)]
    return torch.stack(pairs, dim=1)
