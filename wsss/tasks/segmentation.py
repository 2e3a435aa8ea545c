"""The segmenter's training on masks: steps and logging only."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from wsss.data.colours import in_unit_range
from wsss.data.datasets import MaskedBatch
from wsss.data.sample import VOID_LABEL
from wsss.losses import CrossEntropy, PixelLoss, mean_over_labelled
from wsss.metrics.segmentation import MeanIoU
from wsss.models import Segmenter
from wsss.tasks.schedule import OptimizerFactory, parameter_groups, with_poly_schedule


class SegmentationTask(pl.LightningModule):
    """Trains a segmenter on masks, whose void pixels teach nothing."""

    def __init__(
        self,
        segmenter: Segmenter,
        num_classes: int,
        optimizer: OptimizerFactory,
        lr: float,
        head_lr_factor: float = 10.0,
        loss: PixelLoss | None = None,
        stage: str = "segment",
        agreement: str = "pseudo_miou",
    ) -> None:
        """Train `segmenter`.

        Args:
            segmenter: the network.
            num_classes: number of classes C without background.
            optimizer: called with parameter groups.
            lr: learning rate of the encoder.
            head_lr_factor: decoder and classifier learn this many times faster.
            loss: of pixels; None: the cross-entropy.
            stage: what is logged begins with it.
            agreement: name of the mIoU with the masks that are learnt from.
        """
        super().__init__()
        self.segmenter = segmenter
        self.optimizer = optimizer
        self.lr = lr
        self.head_lr_factor = head_lr_factor
        self.loss = loss or CrossEntropy()
        self.stage = stage
        self.agreement = agreement
        self.miou = MeanIoU(num_classes)

    def training_step(self, batch: MaskedBatch, _: int) -> Tensor:
        """Loss of a batch; agreement with the masks is logged beside it."""
        masks = batch["masks"].long()
        logits = self.segmenter(in_unit_range(batch["images"]))
        # Gradients are averaged over ranks, which have different numbers of labelled pixels.
        labelled = (masks != VOID_LABEL).sum().float()
        labelled = self.trainer.strategy.reduce(labelled, reduce_op="mean")
        loss = mean_over_labelled(self.loss(logits, masks), masks, labelled)
        # The same as `argmax`, which takes six times as long on a CPU.
        labels = logits.detach().max(dim=1).indices
        self.miou.update(labels.byte(), batch["masks"])
        loss_name, agreement = f"{self.stage}/train_loss", f"{self.stage}/{self.agreement}"
        self.log(loss_name, loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        self.log(agreement, self.miou, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        network = self.segmenter.network
        head = [*network.decoder.parameters(), *network.segmentation_head.parameters()]
        groups = parameter_groups(network.encoder.parameters(), head, self.lr, self.head_lr_factor)
        return with_poly_schedule(self.optimizer(groups), self.trainer)
