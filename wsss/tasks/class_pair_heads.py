"""The training of classifiers of pairs of classes: steps and logging only."""

from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics import MeanMetric

from wsss.data.datasets import TaggedBatch
from wsss.losses import pair_logistic_loss
from wsss.losses.class_pairs import exactly_one
from wsss.models import PairHeads
from wsss.tasks.schedule import OptimizerFactory, with_poly_schedule


class OppositionTask(pl.LightningModule):
    """Trains the heads of all pairs at once on pooled features, each on its own images."""

    def __init__(self, heads: PairHeads, optimizer: OptimizerFactory, lr: float) -> None:
        """Train `heads`.

        Args:
            heads: the classifiers.
            optimizer: called with parameters.
            lr: learning rate.
        """
        super().__init__()
        self.heads = heads
        self.optimizer = optimizer
        self.lr = lr
        self.val_accuracy = MeanMetric()

    def logits(self, batch: TaggedBatch) -> Float[Tensor, "b p 2"]:
        """Logits of each pair, of features float32 [B, K, 1, 1]."""
        return self.heads(batch["images"].flatten(1))  # type: ignore[no-any-return]

    def training_step(self, batch: TaggedBatch, _: int) -> Tensor:
        """Loss of a batch; the mean over the pairs is logged."""
        heads = self.heads
        loss = pair_logistic_loss(self.logits(batch), batch["tags"], heads.targets, heads.opponents)
        mean = loss / len(heads.targets)
        self.log("oppose/train_loss", mean, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: TaggedBatch, _: int) -> None:
        """Count the decisions on images that have exactly one class of a pair."""
        heads, tags = self.heads, batch["tags"]
        logits = self.logits(batch)
        right = (logits[..., 0] > logits[..., 1]) == tags[:, heads.targets].bool()
        decided = right[exactly_one(tags, heads.targets, heads.opponents)]
        self.val_accuracy.update(decided.float(), torch.ones_like(decided, dtype=torch.float))
        self.log("oppose/val_accuracy", self.val_accuracy, on_epoch=True, prog_bar=True)

    def make_optimizer(self) -> Optimizer:
        """The optimiser of all weights."""
        return self.optimizer(self.heads.parameters(), lr=self.lr)

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        return with_poly_schedule(self.make_optimizer(), self.trainer)
