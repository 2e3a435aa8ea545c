"""The head of ReCAM: a second classifier beside the first (Chen et al. 2022)."""

from jaxtyping import Float
from torch import Tensor, nn

from wsss.models.classifier import LinearHead


class ReactivatedHead(LinearHead):
    """A linear head with a second classifier, trained on features masked by the first one's CAMs.

    Logits are the first classifier's. The second has no bias, as published; its weights come from
    torch's global generator.
    """

    def __init__(self, num_features: int, num_classes: int, bias: bool = False) -> None:
        super().__init__(num_features, num_classes, bias)
        self.second = nn.Linear(num_features, num_classes, bias=False)

    @classmethod
    def beside(cls, head: LinearHead) -> "ReactivatedHead":
        """A trained linear layer, shared, with a new second classifier."""
        new = cls(head.linear.in_features, head.num_classes, head.bias is not None)
        new.linear = head.linear
        return new

    @property
    def second_weight(self) -> Float[Tensor, "c k"]:
        """The second classifier's weight of every feature for every class."""
        return self.second.weight
