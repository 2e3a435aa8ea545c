"""The loss that reactivates class activation maps (Chen et al., CVPR 2022, section 3.2)."""

import torch
from jaxtyping import Float
from torch import Tensor

MASK_EPSILON = 1e-5
"""Added to a map's maximum, so that maps of zeros stay zero."""


def activation_masks(
    features: Float[Tensor, "b k h w"], first_weight: Float[Tensor, "c k"]
) -> Float[Tensor, "b c h w"]:
    """The first classifier's maps as masks in [0, 1]: `ReLU(W1_c·F) / (max + 1e-5)`.

    Gradients pass through them to the first classifier and the features, as published.
    """
    maps = torch.einsum("ck,bkhw->bchw", first_weight, features).relu()
    return maps / (maps.amax(dim=(2, 3), keepdim=True) + MASK_EPSILON)


def masked_pooling(
    features: Float[Tensor, "b k h w"], masks: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c k"]:
    """Features averaged under each mask: `φ_c = mean_ij(m_c ⊙ F)`.

    A matrix product: the tensor class × channel × pixel would take 168 MB for one VOC image of
    512 px, and 671 MB for one of COCO.
    """
    summed = torch.bmm(masks.flatten(2), features.flatten(2).mT)
    return summed / features[0, 0].numel()


def reactivation_loss(
    features: Float[Tensor, "b k h w"],
    first_weight: Float[Tensor, "c k"],
    second_weight: Float[Tensor, "c k"],
    tags: Float[Tensor, "b c"],
) -> Float[Tensor, ""]:
    """Soft-max cross-entropy over all classes of the features under each present class's map.

    `L = 1/B Σ_b 1/|Y_b| Σ_{c ∈ Y_b} −log softmax(W2·φ_c)_c`; an image without labels adds nothing.

    Args:
        features: of the last block before pooling.
        first_weight: W1, of the classifier whose maps are the masks.
        second_weight: W2, of the second classifier.
        tags: 1 for each class present in an image, else 0.
    """
    pooled = masked_pooling(features, activation_masks(features, first_weight))
    log_shares = (pooled @ second_weight.mT).log_softmax(dim=2).diagonal(dim1=1, dim2=2)
    weights = tags / tags.sum(dim=1, keepdim=True).clamp(min=1)
    return -(weights * log_shares).sum() / len(tags)
