"""Two-way classifiers of a class against an opponent: linear heads, alone or with a last stage."""

import copy

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from wsss.models.backbones import freeze_batch_norm

# Shape suffixes: B = batch, P = pairs, K = feature channels, C = classes, R = opponents of a class.


class PairHeads(nn.Module):
    """A two-way linear head on pooled features for each of P pairs (class, opponent).

    Without a bias, as `LinearHead`, and initialised with zeros: the problem is convex, and pairs
    (a, b) and (b, a) learn the same.
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
            targets: class 0…C-1 of each pair.
            opponents: the other class 0…C-1 of each pair.
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
        """Weights of each pair's decision: class minus opponent."""
        return self.weight[:, 0] - self.weight[:, 1]

    def of_classes(
        self, classes: Int64[Tensor, "b n"]
    ) -> tuple[Int64[Tensor, "b n r"], Bool[Tensor, "b n r"]]:
        """The pairs of each class, padded to the largest number, and a mask of real ones."""
        pairs = self.pairs_of_class[classes]
        return pairs.clamp(min=0), pairs >= 0

    def forward(self, pooled: Float[Tensor, "b k"]) -> Float[Tensor, "b p 2"]:
        """Logits of a pair's class and of its opponent."""
        return torch.einsum("bk,pok->bpo", pooled, self.weight)


class PairNetworks(PairHeads):
    """Two-way linear heads, each behind its own copy of a network's last stage.

    All share the stages before. Memory and disk hold P last stages: 2.7 million weights each for
    EfficientNet-Lite0, 15 million for ResNet-50, and three times that while AdamW trains them.
    """

    def __init__(
        self,
        targets: Int64[Tensor, " p"],
        opponents: Int64[Tensor, " p"],
        num_classes: int,
        num_features: int,
        stage: nn.Module,
    ) -> None:
        """Make a copy of `stage` for every pair.

        Args:
            targets: as for `PairHeads`, like the next three.
            opponents: of the targets.
            num_classes: C.
            num_features: K.
            stage: input of the last stage to features, from `cut_before_last_stage`.
        """
        super().__init__(targets, opponents, num_classes, num_features)
        self.stages = nn.ModuleList(copy.deepcopy(stage) for _ in targets).requires_grad_(True)

    def features(self, inner: Float[Tensor, "b _ _ _"], pair: int) -> Float[Tensor, "b k h w"]:
        """A pair's features, from the output of the shared stages."""
        return self.stages[pair](inner)  # type: ignore[no-any-return]

    def decide(self, inner: Float[Tensor, "b _ _ _"], pair: int) -> Float[Tensor, "b 2"]:
        """Logits of a pair's class and of its opponent."""
        return self.features(inner, pair).mean(dim=(2, 3)) @ self.weight[pair].T

    def train(self, mode: bool = True) -> "PairNetworks":
        """Set the training mode, leaving BatchNorm on the classifier's statistics."""
        super().train(mode)
        freeze_batch_norm(self)
        return self

    def zero_of(self, pairs: list[int]) -> Float[Tensor, ""]:
        """Zero that depends on all weights of `pairs`: DDP needs a gradient of every parameter."""
        weights = [weight.sum() for pair in pairs for weight in self.stages[pair].parameters()]
        return 0 * torch.stack([self.weight.sum(), *weights]).sum()
