"""Losses of the segmenter."""

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from wsss.data.sample import VOID_LABEL


def void_aware_cross_entropy(
    logits: Float[Tensor, "b c h w"],
    labels: Int64[Tensor, "b h w"],
    num_labelled: Float[Tensor, ""] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy over labelled pixels; 0, not NaN, without any.

    Args:
        logits: of background and C classes.
        labels: 0 background, 1…C classes, 255 void.
        num_labelled: denominator of the mean; None: the labelled pixels of this batch.
    """
    # Summed apart: within the loss a GPU adds up the pixels in any order.
    losses = F.cross_entropy(logits, labels, ignore_index=VOID_LABEL, reduction="none")
    if num_labelled is None:
        num_labelled = (labels != VOID_LABEL).sum()
    return losses.sum() / num_labelled.clamp(min=1)
