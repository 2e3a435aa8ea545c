"""Linear classifiers that tell two classes apart, for every pair of a class and an opponent."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

# Shape suffixes: B = batch, P = pairs, K = feature channels, C = classes, R = opponents of a class.


class PairHeads(nn.Module):
    """A two-way linear head on pooled features for each of P pairs (class, opponent).

    Without a bias, as `LinearHead`, and starting from zero: the problem is convex, and a pair and
    its mirror image learn the same.
    """

    def __init__(
        self,
        targets: Int64[Tensor, " p"],
        opponents: Int64[Tensor, " p"],
        num_classes: int,
        num_features: int,
    ) -> None:
        """Make heads for pairs.

        Args:
            targets: class 0…C-1 of each pair whose map it is for.
            opponents: class 0…C-1 of each pair that it is told apart from.
            num_classes: number of classes C.
            num_features: feature channels K.
        """
        super().__init__()
        self.targets: Tensor
        self.opponents: Tensor
        self.pairs_of_class: Tensor
        self.register_buffer("targets", targets)
        self.register_buffer("opponents", opponents)
        pairs = [(targets == target).nonzero()[:, 0] for target in range(num_classes)]
        table = nn.utils.rnn.pad_sequence(pairs, batch_first=True, padding_value=-1)
        self.register_buffer("pairs_of_class", table, persistent=False)
        self.weight = nn.Parameter(torch.zeros(len(targets), 2, num_features))

    @property
    def difference(self) -> Float[Tensor, "p k"]:
        """Weights of each pair's decision: those of its class minus those of its opponent."""
        return self.weight[:, 0] - self.weight[:, 1]

    def of_classes(
        self, classes: Int64[Tensor, "b n"]
    ) -> tuple[Int64[Tensor, "b n r"], Bool[Tensor, "b n r"]]:
        """The pairs of each class, filled up to the largest number, and which of them are real."""
        pairs = self.pairs_of_class[classes]
        return pairs.clamp(min=0), pairs >= 0

    def forward(self, pooled: Float[Tensor, "b k"]) -> Float[Tensor, "b p 2"]:
        """Logits of a pair's class and of its opponent."""
        return torch.einsum("bk,pok->bpo", pooled, self.weight)
