"""The training of ReCAM's second classifier: steps and logging only."""

from typing import Any

import pytorch_lightning as pl
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.data.colours import in_unit_range
from wsss.data.datasets import TaggedBatch
from wsss.losses import reactivation_loss
from wsss.metrics.tags import TagMeanAveragePrecision
from wsss.models import ReactivatedHead
from wsss.tasks.schedule import OptimizerFactory, parameter_groups, with_poly_schedule


class ReactivationTask(pl.LightningModule):
    """Trains two classifiers and their features: `soft margin(z, y) + λ · reactivation loss`.

    The CAMs that mask the features are recomputed at every step (Chen et al. 2022).
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: ReactivatedHead,
        optimizer: OptimizerFactory,
        lr: float,
        second_lr_factor: float = 10.0,
        loss_weight: float = 1.0,
    ) -> None:
        """Train `head` on `trunk(images)`.

        Args:
            trunk: images to features.
            head: both classifiers.
            optimizer: called with parameter groups.
            lr: learning rate of the trunk and the first classifier.
            second_lr_factor: the second classifier learns this many times faster.
            loss_weight: λ, the weight of the second classifier's loss.
        """
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.optimizer = optimizer
        self.lr = lr
        self.second_lr_factor = second_lr_factor
        self.loss_weight = loss_weight
        self.val_map = TagMeanAveragePrecision()

    def forward(self, images: Tensor) -> Float[Tensor, "b k h w"]:
        """Features of a batch of uint8 images."""
        return self.trunk(in_unit_range(images))  # type: ignore[no-any-return]

    def training_step(self, batch: TaggedBatch, _: int) -> Tensor:
        """Loss of a batch; the second classifier's part is logged beside it."""
        features, tags = self(batch["images"]), batch["tags"]
        tag_loss = F.multilabel_soft_margin_loss(self.head(features), tags)
        second = reactivation_loss(features, self.head.weight, self.head.second_weight, tags)
        loss = tag_loss + self.loss_weight * second
        numbers = {"reactivate/train_loss": loss, "reactivate/reactivation_loss": second}
        self.log_dict(numbers, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: TaggedBatch, _: int) -> None:
        """Count a batch for the mean average precision over tags, by the first classifier."""
        probabilities = self.head(self(batch["images"])).sigmoid()
        self.val_map.update(probabilities, batch["tags"].long())
        self.log("reactivate/val_map", self.val_map, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        old = [*self.trunk.parameters(), *self.head.linear.parameters()]
        new = self.head.second.parameters()
        groups = parameter_groups(old, new, self.lr, self.second_lr_factor)
        return with_poly_schedule(self.optimizer(groups), self.trainer)
