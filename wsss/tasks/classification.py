"""The tag classifier's training: steps and logging only."""

from typing import Any, cast

import pytorch_lightning as pl
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.data.colours import in_unit_range
from wsss.data.datasets import TaggedBatch
from wsss.metrics.tags import TagMeanAveragePrecision
from wsss.models.backbones import Backbone
from wsss.tasks.schedule import (
    OptimizerFactory,
    layer_decay_groups,
    parameter_groups,
    with_poly_schedule,
)


class ClassificationTask(pl.LightningModule):
    """Trains a network on image tags with the multi-label soft-margin loss."""

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Module,
        optimizer: OptimizerFactory,
        lr: float,
        head_lr_factor: float = 10.0,
        class_weights: Float[Tensor, " c"] | None = None,
        layer_decay: float | None = None,
    ) -> None:
        """Train `head(trunk(images))`.

        Args:
            trunk: images to features; an identity where features were computed beforehand.
            head: features to logits.
            optimizer: called with parameter groups.
            lr: learning rate of the trunk.
            head_lr_factor: the head learns this many times faster.
            class_weights: weight of each class in the loss; None for equal weights.
            layer_decay: factor of the learning rate from a layer of the trunk, then a `Backbone`,
                to the layer before; None for one rate.
        """
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.optimizer = optimizer
        self.lr = lr
        self.head_lr_factor = head_lr_factor
        self.layer_decay = layer_decay
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.val_map = TagMeanAveragePrecision()

    def forward(self, images: Tensor) -> Float[Tensor, "b c"]:
        """Logits of a batch: uint8 images, or floating-point features as they are."""
        inputs = images if images.is_floating_point() else in_unit_range(images)
        return self.head(self.trunk(inputs))  # type: ignore[no-any-return]

    def training_step(self, batch: TaggedBatch, _: int) -> Tensor:
        """Loss of a batch."""
        logits = self(batch["images"])
        weights = cast("Tensor | None", self.class_weights)
        loss = F.multilabel_soft_margin_loss(logits, batch["tags"], weights)
        self.log(
            "classify/train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True
        )
        return loss

    def validation_step(self, batch: TaggedBatch, _: int) -> None:
        """Count a batch for the mean average precision over tags."""
        probabilities = self(batch["images"]).sigmoid()
        self.val_map.update(probabilities, batch["tags"].long())
        self.log("classify/val_map", self.val_map, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        if self.layer_decay is None:
            trunk = self.trunk.parameters()
            groups = parameter_groups(trunk, self.head.parameters(), self.lr, self.head_lr_factor)
        else:
            network = cast("Backbone", self.trunk).network
            groups = [
                *layer_decay_groups(network, self.lr, self.layer_decay),
                *parameter_groups((), self.head.parameters(), self.lr, self.head_lr_factor),
            ]
        return with_poly_schedule(self.optimizer(groups), self.trainer)
