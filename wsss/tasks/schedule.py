"""Optimisers and schedules that the training tasks share."""

from collections.abc import Callable, Iterable
from typing import Any

from pytorch_lightning import Trainer
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

OptimizerFactory = Callable[..., Optimizer]
"""Makes an optimiser of parameter groups, with its settings bound."""


def parameter_groups(
    trunk: Iterable[nn.Parameter], head: Iterable[nn.Parameter], lr: float, head_lr_factor: float
) -> list[dict[str, Any]]:
    """Trainable parameters: a pretrained trunk's at `lr`, a new head's at `head_lr_factor × lr`."""
    groups = (
        {"params": [p for p in trunk if p.requires_grad], "lr": lr},
        {"params": [p for p in head if p.requires_grad], "lr": lr * head_lr_factor},
    )
    return [group for group in groups if group["params"]]


def poly_schedule(optimizer: Optimizer, total_steps: int, power: float = 0.9) -> LambdaLR:
    """Learning rate `lr · (1 − step / total_steps)^power`, per step (DeepLab)."""
    return LambdaLR(optimizer, lambda step: max(0.0, 1 - step / total_steps) ** power)


def with_poly_schedule(optimizer: Optimizer, trainer: Trainer) -> Any:
    """What Lightning's `configure_optimizers` returns for the poly schedule."""
    schedule = poly_schedule(optimizer, max(1, int(trainer.estimated_stepping_batches)))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
