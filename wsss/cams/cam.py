"""Class activation maps (Zhou et al., Learning Deep Features for Discriminative Localization)."""

from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.feature_maps import feature_maps


def class_activation_maps(
    features: Float[Tensor, "b k h w"], weight: Float[Tensor, "c k"], classes: Int64[Tensor, "b n"]
) -> Float[Tensor, "b n h w"]:
    """Weighted sum of feature maps, `M_c = Σ_k W_ck A_k` (Zhou et al. 2016, eq. 2), no bias."""
    return torch.einsum("bnk,bkhw->bnhw", weight[classes], features)


class CAM(CamMethod):
    """Class activation maps of a network with a linear head on global average pooling."""

    needs = frozenset({Need.LINEAR_HEAD})
    provenance = Provenance(
        "Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016"
    )

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps of `n` classes of each image, at the resolution of the features."""
        head = cast("LinearHead", model.head)
        return class_activation_maps(feature_maps(model.features, images), head.weight, classes)
