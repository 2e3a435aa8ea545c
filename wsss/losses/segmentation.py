"""Losses of the segmenter: one value a pixel, and their mean over the pixels that have a label.

Labels are 0 background, 1…C classes, 255 void. A void pixel costs 0 and teaches nothing.
"""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from wsss.argument_checks import check_at_least, check_number, check_positive
from wsss.data.sample import VOID_LABEL


class PixelLoss(ABC):
    """Losses of pixels from a network's logits."""

    @abstractmethod
    def __call__(
        self, logits: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b h w"]
    ) -> Float[Tensor, "b h w"]:
        """The loss of every pixel, 0 where void, from logits of background and C classes."""


class CrossEntropy(PixelLoss):
    """−log p of the label's probability p."""

    def __call__(
        self, logits: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b h w"]
    ) -> Float[Tensor, "b h w"]:
        """In [0, ∞)."""
        return F.cross_entropy(logits, labels, ignore_index=VOID_LABEL, reduction="none")


class GeneralisedCrossEntropy(PixelLoss):
    """(1 − p^q) / q: pixels whose label the network does not believe pull less.

    Source: Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels, NeurIPS 2018, equation 6.
    """

    def __init__(self, q: float = 0.7) -> None:
        """Take q in (0, 1]: towards 0 it is the cross-entropy, 1 is the mean absolute error.

        Raises:
            WsssError: it is not.
        """
        check_number(lambda value: 0 < value <= 1, "above 0, and up to 1", q=q)
        self.q = q
        self._cross_entropy = CrossEntropy()

    def __call__(
        self, logits: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b h w"]
    ) -> Float[Tensor, "b h w"]:
        """In [0, 1/q]."""
        return -(-self.q * self._cross_entropy(logits, labels)).expm1() / self.q


class SymmetricCrossEntropy(PixelLoss):
    """α · cross-entropy + β · its reverse −Σ p log(label), which wrong labels disturb less.

    With a finite A for the logarithm of the label's zeros the reverse is −A (1 − p).

    Source: Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019,
    equations 6 to 8.
    """

    def __init__(self, alpha: float = 0.5, beta: float = 0.5, log_zero: float = -4.0) -> None:
        """Set the weights.

        Args:
            alpha: of the cross-entropy, which learns faster; positive.
            beta: of the reverse; 0 or more.
            log_zero: A, below 0.

        Raises:
            WsssError: one is out of range.
        """
        check_positive(alpha=alpha)
        check_at_least(0, beta=beta)
        check_number(lambda value: value < 0, "below 0", log_zero=log_zero)
        self.alpha, self.beta, self.log_zero = alpha, beta, log_zero
        self._cross_entropy = CrossEntropy()

    def __call__(
        self, logits: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b h w"]
    ) -> Float[Tensor, "b h w"]:
        """In [0, ∞)."""
        forward = self._cross_entropy(logits, labels)  # 0 of a void pixel, whose 1 − p is then 0.
        return self.alpha * forward + self.beta * self.log_zero * (-forward).expm1()


def mean_over_labelled(
    losses: Float[Tensor, "b h w"],
    labels: Int64[Tensor, "b h w"],
    num_labelled: Float[Tensor, ""] | None = None,
) -> Float[Tensor, ""]:
    """Mean of the losses of labelled pixels; 0, not NaN, without any.

    Args:
        losses: of the pixels; 0 where void.
        labels: of the pixels.
        num_labelled: denominator of the mean; None: the labelled pixels of this batch.
    """
    # Summed apart: within a loss of torch a GPU adds up the pixels in any order.
    if num_labelled is None:
        num_labelled = (labels != VOID_LABEL).sum()
    return losses.sum() / num_labelled.clamp(min=1)
