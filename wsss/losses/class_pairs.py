"""The loss of two-way classifiers of pairs of classes."""

from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F


def exactly_one(
    tags: Float[Tensor, "b c"], targets: Int64[Tensor, " p"], opponents: Int64[Tensor, " p"]
) -> Bool[Tensor, "b p"]:
    """Whether an image has exactly one class of a pair; a pair is trained on these only."""
    return tags[:, targets].bool() ^ tags[:, opponents].bool()


def pair_logistic_loss(
    logits: Float[Tensor, "b p 2"],
    tags: Float[Tensor, "b c"],
    targets: Int64[Tensor, " p"],
    opponents: Int64[Tensor, " p"],
) -> Float[Tensor, ""]:
    """Two-way soft-max cross-entropy: mean over a pair's images, summed over the pairs.

    A sum, as the pairs share no weights.

    Args:
        logits: of each pair's class and its opponent.
        tags: 1 for each class present in an image, else 0.
        targets: class 0…C-1 of each pair.
        opponents: the other class of each pair.
    """
    teaches = exactly_one(tags, targets, opponents)
    sign = 2 * tags[:, targets] - 1
    each = F.softplus(-sign * (logits[..., 0] - logits[..., 1]))
    return ((each * teaches).sum(dim=0) / teaches.sum(dim=0).clamp(min=1)).sum()
