"""The training of a linear probe on labelled cells: steps and logging only."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor
from torch.nn import functional as F

from wsss.data.datasets import TaggedBatch
from wsss.models import PixelProbe
from wsss.tasks.schedule import OptimizerFactory, parameter_groups, with_poly_schedule


class PixelProbeTask(pl.LightningModule):
    """Trains a linear probe with the cross-entropy of the labels' shares in a cell.

    The loss is the mean over the networks that the probe sees, whose layers learn apart.
    """

    def __init__(self, probe: PixelProbe, optimizer: OptimizerFactory, lr: float) -> None:
        """Train `probe`.

        Args:
            probe: with the statistics of the features.
            optimizer: called with parameter groups.
            lr: learning rate.
        """
        super().__init__()
        self.probe = probe
        self.optimizer = optimizer
        self.lr = lr

    def training_step(self, batch: TaggedBatch, _: int) -> Tensor:
        """Loss of a batch of cells: `images` are their features, `tags` the labels' shares."""
        logits = self.probe(batch["images"].float())[..., 0, 0]
        shares = batch["tags"][:, None].expand_as(logits)
        loss = F.cross_entropy(logits.flatten(0, 1), shares.flatten(0, 1))
        self.log(
            "probe/train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True
        )
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        groups = parameter_groups(self.probe.parameters(), (), self.lr, 1.0)
        return with_poly_schedule(self.optimizer(groups), self.trainer)
