"""The fine-tuning of networks for pairs of classes: steps and logging only."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from wsss.data.colours import in_unit_range
from wsss.data.datasets import TaggedBatch
from wsss.losses.class_pairs import exactly_one
from wsss.models import PairNetworks
from wsss.tasks.class_pair_heads import OppositionTask
from wsss.tasks.schedule import OptimizerFactory, parameter_groups


class PairTuningTask(OppositionTask):
    """Trains the last stage and the head of all pairs at once, each on its own images.

    The stages before are frozen and run once for all pairs.
    """

    heads: PairNetworks

    def __init__(
        self,
        trunk: nn.Module,
        networks: PairNetworks,
        optimizer: OptimizerFactory,
        lr: float,
        head_lr_factor: float,
    ) -> None:
        """Train `networks` on `trunk(images)`.

        Args:
            trunk: RGB in [0, 1] to the input of the last stages; frozen.
            networks: the last stages and heads.
            optimizer: called with parameter groups.
            lr: learning rate of the last stages.
            head_lr_factor: the heads learn this many times faster.
        """
        super().__init__(networks, optimizer, lr)
        self.trunk = trunk.requires_grad_(False)
        self.head_lr_factor = head_lr_factor

    def train(self, mode: bool = True) -> "PairTuningTask":
        """Set the training mode of the pairs; the trunk stays in evaluation mode."""
        super().train(mode)
        self.trunk.eval()
        return self

    def logits(self, batch: TaggedBatch) -> Float[Tensor, "b p 2"]:
        """Logits of each pair, of uint8 images; zeros where a pair is not trained on an image."""
        networks = self.heads
        with torch.no_grad():
            inner: Tensor = self.trunk(in_unit_range(batch["images"]))
        teaches = exactly_one(batch["tags"], networks.targets, networks.opponents)
        logits = inner.new_zeros(*teaches.shape, 2)
        idle = []
        for pair, any_image in enumerate(teaches.any(dim=0).tolist()):
            if any_image:
                own = teaches[:, pair]
                logits[own, pair] = networks.decide(inner[own], pair).to(logits.dtype)
            else:
                idle.append(pair)
        return logits + networks.zero_of(idle) if torch.is_grad_enabled() else logits

    def make_optimizer(self) -> Optimizer:
        """The optimiser of last stages and, faster, heads."""
        stages, heads = self.heads.stages.parameters(), [self.heads.weight]
        return self.optimizer(parameter_groups(stages, heads, self.lr, self.head_lr_factor))
