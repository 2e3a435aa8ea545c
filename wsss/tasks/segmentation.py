"""The segmenter's training on pseudo masks: steps and logging only."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from wsss.data.colours import in_unit_range
from wsss.data.datasets import MaskedBatch
from wsss.data.sample import VOID_LABEL
from wsss.losses import void_aware_cross_entropy
from wsss.metrics.segmentation import MeanIoU
from wsss.models import Segmenter
from wsss.tasks.schedule import OptimizerFactory, parameter_groups, with_poly_schedule


class SegmentationTask(pl.LightningModule):
    """Trains a segmenter on pseudo masks with a cross-entropy that ignores void pixels."""

    def __init__(
        self,
        segmenter: Segmenter,
        num_classes: int,
        optimizer: OptimizerFactory,
        lr: float,
        head_lr_factor: float = 10.0,
    ) -> None:
        """Train `segmenter`.

        Args:
            segmenter: the network.
            num_classes: number of classes C without background.
            optimizer: called with parameter groups.
            lr: learning rate of the encoder.
            head_lr_factor: decoder and classifier learn this many times faster.
        """
        super().__init__()
        self.segmenter = segmenter
        self.optimizer = optimizer
        self.lr = lr
        self.head_lr_factor = head_lr_factor
        self.pseudo_miou = MeanIoU(num_classes)

    def training_step(self, batch: MaskedBatch, _: int) -> Tensor:
        """Loss of a batch; agreement with the pseudo masks is logged beside it."""
        masks = batch["masks"]
        logits = self.segmenter(in_unit_range(batch["images"]))
        # Gradients are averaged over ranks, which have different numbers of labelled pixels.
        labelled = (masks != VOID_LABEL).sum().float()
        labelled = self.trainer.strategy.reduce(labelled, reduce_op="mean")
        loss = void_aware_cross_entropy(logits, masks.long(), labelled)
        # The same as `argmax`, which takes six times as long on a CPU.
        labels = logits.detach().max(dim=1).indices
        self.pseudo_miou.update(labels.byte(), masks)
        self.log(
            "segment/train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True
        )
        self.log(
            "segment/pseudo_miou", self.pseudo_miou, on_step=False, on_epoch=True, prog_bar=True
        )
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        network = self.segmenter.network
        head = [*network.decoder.parameters(), *network.segmentation_head.parameters()]
        groups = parameter_groups(network.encoder.parameters(), head, self.lr, self.head_lr_factor)
        return with_poly_schedule(self.optimizer(groups), self.trainer)
