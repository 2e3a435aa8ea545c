"""Losses of the segmenter."""

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from wsss.data.sample import VOID_LABEL


def void_aware_cross_entropy(
    logits: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy over the pixels that have a label; 0, not NaN, where none has."""
    summed = F.cross_entropy(logits, labels, ignore_index=VOID_LABEL, reduction="sum")
    return summed / (labels != VOID_LABEL).sum().clamp(min=1)
