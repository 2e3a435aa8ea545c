"""Optimisers and schedules that the training tasks share."""

from collections.abc import Callable, Iterable
from typing import Any

from pytorch_lightning import Trainer
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from wsss.errors import InvalidOptionError

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


def layer_decay_groups(network: nn.Module, lr: float, layer_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters of a network of timm, each layer's at its own learning rate.

    The last layer learns at `lr`, each one before at `layer_decay` times the rate of the next, down
    to the embedding of patches (Bao et al., BEiT, ICLR 2022). Biases, norms and scales have no
    weight decay; the others have the optimiser's. Layers are those that timm groups.

    Args:
        network: of timm; tells its layers by `group_matcher`.
        lr: learning rate of the last layer.
        layer_decay: factor from a layer to the one before, in (0, 1].

    Raises:
        InvalidOptionError: the network does not tell its layers.
    """
    from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]

    if not hasattr(network, "group_matcher"):
        expected = "none for this network, which does not tell its layers"
        raise InvalidOptionError("layer_decay", layer_decay, expected)
    own = network.no_weight_decay() if hasattr(network, "no_weight_decay") else ()  # type: ignore[operator]
    found = param_groups_layer_decay(
        network, weight_decay=1.0, no_weight_decay_list=own, layer_decay=layer_decay
    )
    return [
        {
            "params": group["params"],
            "lr": lr * group["lr_scale"],
            # A group without this key takes the optimiser's.
            **({} if group["weight_decay"] else {"weight_decay": 0.0}),
        }
        for group in found
    ]


def poly_schedule(optimizer: Optimizer, total_steps: int, power: float = 0.9) -> LambdaLR:
    """Learning rate `lr · (1 − step / total_steps)^power`, per step (DeepLab)."""
    return LambdaLR(optimizer, lambda step: max(0.0, 1 - step / total_steps) ** power)


def with_poly_schedule(optimizer: Optimizer, trainer: Trainer) -> Any:
    """What Lightning's `configure_optimizers` returns for the poly schedule."""
    schedule = poly_schedule(optimizer, max(1, int(trainer.estimated_stepping_batches)))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
