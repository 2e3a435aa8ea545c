"""Losses of the tag classifier."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def multilabel_soft_margin(
    logits: Float[Tensor, "b c"],
    tags: Float[Tensor, "b c"],
    class_weights: Float[Tensor, " c"] | None = None,
) -> Float[Tensor, ""]:
    """Mean binary cross-entropy over images and classes, each class scaled by its weight."""
    return F.multilabel_soft_margin_loss(logits, tags, weight=class_weights)


def balanced_class_weights(tags: Bool[Tensor, "n c"]) -> Float[Tensor, " c"]:
    """Weights inverse to the square root of each class's frequency, with mean 1.

    The square root balances rare and common classes without letting a class of three images
    dominate the loss; a class without images gets the weight of one with a single image.
    """
    frequency = tags.float().sum(dim=0).clamp(min=1)
    weights = frequency.rsqrt()
    return weights / weights.mean()
