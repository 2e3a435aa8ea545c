"""Looking into a network while it runs: hooks that are gone when the block ends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def outputs_of(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect the outputs of `layers`, in their order, from the next forward pass in the block.

    Outputs are cloned, so that an in-place ReLU behind a layer does not change what was seen.
    """
    found: dict[int, Tensor] = {}
    outputs: list[Tensor] = []

    def keep(index: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            found[index] = output.clone()
            if len(found) == len(layers):
                outputs[:] = [found[position] for position in range(len(layers))]

        return hook

    handles = [layer.register_forward_hook(keep(index)) for index, layer in enumerate(layers)]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def differentiable_from(model: nn.Module, layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect the outputs of `layers` as tensors that the model's output can be derived by.

    The autograd graph begins at the shallowest layer, and no parameter takes part in it: a backward
    pass to these tensors never enters the network before them nor its weights. `layers` are given
    shallow to deep.
    """
    outputs: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        # A clone behind the leaf, because an in-place ReLU may not write to a leaf.
        leaf = output if outputs else output.detach().requires_grad_()
        outputs.append(leaf)
        return leaf.clone()

    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        with derivable_by_inputs(model):
            yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def derivable_by_inputs(model: nn.Module) -> Iterator[None]:
    """Record an autograd graph in the block, in which all parameters are constants.

    Afterwards the parameters need gradients as before.

    Raises:
        RuntimeError: in `torch.inference_mode`, which records nothing.
    """
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "gradients are needed, and torch.inference_mode() records none: call it outside, or "
            "under torch.no_grad(), which does no harm"
        )
    needy = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in needy:
        parameter.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter in needy:
            parameter.requires_grad_(True)
