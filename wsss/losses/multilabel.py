"""Class weights of the tag classifier's loss."""

from jaxtyping import Bool, Float
from torch import Tensor


def balanced_class_weights(tags: Bool[Tensor, "n c"]) -> Float[Tensor, " c"]:
    """Weights inverse to the square root of each class's frequency, with mean 1.

    The square root limits the weight of very rare classes; a class without images gets the weight
    of one with a single image.
    """
    frequency = tags.float().sum(dim=0).clamp(min=1)
    weights = frequency.rsqrt()
    return weights / weights.mean()
