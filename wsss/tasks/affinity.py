"""The training of class boundaries and displacements: steps and logging only."""

from typing import Any, cast

import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from wsss.artifacts import SEED_STRIDE
from wsss.data.colours import in_unit_range
from wsss.data.datasets import MaskedBatch
from wsss.data.sample import VOID_LABEL
from wsss.losses import affinity_loss, displacement_loss
from wsss.losses.affinity import Relations, count_pairs, relations
from wsss.models import AffinityHeads, Backbone
from wsss.refine.affinity.boundaries import boundary_affinity
from wsss.refine.affinity.paths import neighbour, pair_offsets
from wsss.refine.affinity.pixel_pair_affinity import grid_of, inner_maps
from wsss.tasks.schedule import OptimizerFactory, parameter_groups, with_poly_schedule


class AffinityTask(pl.LightningModule):
    """Trains boundary and displacement heads on a frozen backbone, from confident labels.

    `L = affinity loss + displacement loss / 2`, the second where the heads have the branch (Ahn,
    Cho and Kwak, CVPR 2019). The branches share no trained weights.
    """

    def __init__(
        self,
        trunk: Backbone,
        heads: AffinityHeads,
        optimizer: OptimizerFactory,
        lr: float,
        displacement_lr_factor: float = 10.0,
        radius: int = 10,
    ) -> None:
        """Train `heads` on inner layers of `trunk`.

        Args:
            trunk: the classifier's backbone.
            heads: the trained heads.
            optimizer: called with parameter groups.
            lr: learning rate of the boundary branch.
            displacement_lr_factor: the other branch learns this many times faster.
            radius: pairs nearer than this are compared, in pixels of maps at a quarter of the size.
        """
        super().__init__()
        self.trunk = trunk.requires_grad_(False)
        self.heads = heads
        self.optimizer = optimizer
        self.lr = lr
        self.displacement_lr_factor = displacement_lr_factor
        self.radius = radius

    def training_step(self, batch: MaskedBatch, _: int) -> Tensor:
        """Loss of a batch; its parts are logged beside it."""
        images = in_unit_range(batch["images"])
        layers = [self.trunk.inner_layers[name] for name in self.heads.layers]
        maps, size = inner_maps(self.trunk, layers, images), grid_of(images)
        pairs = pairs_of(quarter(batch["masks"]), self.radius)
        # Gradients are averaged over ranks, which have different numbers of pairs.
        counts = self.trainer.strategy.reduce(count_pairs(pairs), reduce_op="mean")
        boundary = self.heads.boundary(maps, size).float().sigmoid()
        loss = affinity_loss(boundary_affinity(boundary, self.radius), pairs, counts)
        numbers = {"affinity/affinity_loss": loss}
        if self.heads.displacement is not None:
            displacement = self.heads.displacement(maps, size).float()
            difference, offsets = displacement_differences(displacement, self.radius)
            second = displacement_loss(difference, offsets, pairs, counts)
            loss = loss + second / 2
            numbers["affinity/displacement_loss"] = second
        numbers["affinity/train_loss"] = loss
        self.log_dict(
            cast("Any", numbers), on_step=False, on_epoch=True, prog_bar=True, sync_dist=True
        )
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser with the poly schedule."""
        heads = self.heads
        second = [] if heads.displacement is None else heads.displacement.parameters()
        groups = parameter_groups(
            heads.boundary.parameters(), second, self.lr, self.displacement_lr_factor
        )
        return with_poly_schedule(self.optimizer(groups), self.trainer)


def quarter(labels: UInt8[Tensor, "b H W"]) -> UInt8[Tensor, "b h w"]:
    """Labels at a quarter of the size, from the centre of each 4 × 4 cell."""
    middle = SEED_STRIDE // 2
    return labels[:, middle::SEED_STRIDE, middle::SEED_STRIDE]


def pairs_of(labels: UInt8[Tensor, "b h w"], radius: int) -> Relations:
    """The kind of all pairs nearer than `radius`, by their labels."""
    offsets = pair_offsets(radius)
    neighbours = [neighbour(labels, offset, VOID_LABEL) for offset in offsets]
    return relations(labels, torch.stack(neighbours, dim=1))


def displacement_differences(
    displacement: Float[Tensor, "b 2 h w"], radius: int
) -> tuple[Float[Tensor, "b k 2 h w"], Float[Tensor, "k 2"]]:
    """Every pixel's displacement minus its neighbours', and the neighbours' offsets."""
    offsets = pair_offsets(radius)
    others = [neighbour(displacement, offset, 0.0) for offset in offsets]
    difference = displacement[:, None] - torch.stack(others, dim=1)
    return difference, displacement.new_tensor(offsets)
