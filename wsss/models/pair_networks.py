"""Networks that tell two classes apart, with a last stage of their own for every pair."""

import copy

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from wsss.models.backbones import freeze_batch_norm
from wsss.models.pair_heads import PairHeads


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
            targets: these and the next three as for `PairHeads`.
            opponents: of the targets.
            num_classes: C.
            num_features: K.
            stage: inner map to features, as `cut_before_last_stage` gives it.
        """
        super().__init__(targets, opponents, num_classes, num_features)
        self.stages = nn.ModuleList(copy.deepcopy(stage) for _ in targets).requires_grad_(True)

    def features(self, inner: Float[Tensor, "b _ _ _"], pair: int) -> Float[Tensor, "b k h w"]:
        """A pair's own features of the stages before."""
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
        """Zero, depending on all weights of `pairs`: processes wait for every weight's gradient."""
        weights = [weight.sum() for pair in pairs for weight in self.stages[pair].parameters()]
        return 0 * torch.stack([self.weight.sum(), *weights]).sum()
