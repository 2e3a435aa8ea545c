"""Class activation maps (Zhou et al., Learning Deep Features for Discriminative Localization)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from wsss.cam.method import CamMethod
from wsss.errors import user_error
from wsss.models.classifier import LinearHead, SplitClassifier


def class_activation_maps(
    features: Float[Tensor, "b k h w"], weight: Float[Tensor, "c k"], classes: Int64[Tensor, "b n"]
) -> Float[Tensor, "b n h w"]:
    """Weighted sum of feature maps, `M_c = Σ_k W_ck A_k` (Zhou et al. 2016, eq. 2), no bias."""
    return torch.einsum("bnk,bkhw->bnhw", weight[classes], features)


class CAM(CamMethod):
    """Class activation maps of a network with a linear head on global average pooling."""

    def check(self, model: SplitClassifier) -> None:
        """Refuse a classifier whose head is not linear."""
        if not isinstance(model.head, LinearHead):
            raise user_error(
                "cam=cam",
                f"the classifier ends in {type(model.head).__name__}",
                "global average pooling and one linear layer, whose weights are the map's",
                "Use a backbone with a linear head, such as `backbone=efficientnet_lite0`.",
            )

    @torch.no_grad()
    def __call__(
        self,
        model: SplitClassifier,
        images: Float[Tensor, "b 3 H W"],
        classes: Int64[Tensor, "b n"],
    ) -> Float[Tensor, "b n h w"]:
        """Raw maps of `n` classes of each image, at the resolution of the features."""
        return class_activation_maps(model.features(images), model.head.weight, classes)
