"""A linear probe: background and classes from the frozen features of single cells."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class PixelProbe(nn.Module):
    """A linear layer on standardised features, at every cell of a map by itself."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, num_features: int, num_classes: int) -> None:
        """Make a probe whose logits are all zero.

        Args:
            num_features: channels K.
            num_classes: number of classes C without background.
        """
        super().__init__()
        self.linear = nn.Linear(num_features, num_classes + 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))

    def standardise(self, mean: Float[Tensor, " k"], deviation: Float[Tensor, " k"]) -> None:
        """Take the statistics of the features; those that never change count as they are."""
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1))

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c1 h w"]:
        """Logits of background and C classes at each cell."""
        weight = self.linear.weight / self.deviation
        bias = self.linear.bias - weight @ self.mean
        # Ten times as fast as a convolution where maps are single cells.
        return F.linear(features.movedim(1, -1), weight, bias).movedim(-1, 1)


def tag_probabilities(
    logits: Float[Tensor, "c1 h w"], labels: tuple[int, ...]
) -> Float[Tensor, "n h w"]:
    """Soft-max probabilities of an image's tags, as if background and they were all there is.

    What the classes that the image is not tagged with would have had is shared out in proportion.
    Background has what is left of 1.

    Args:
        logits: of background and C classes.
        labels: mask values 1…C of the tags.
    """
    return logits[[0, *labels]].softmax(dim=0)[1:]
