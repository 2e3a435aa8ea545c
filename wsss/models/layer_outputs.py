"""Forward hooks that collect feature maps, removed when the block ends."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def outputs_of(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect the outputs of `layers`, in their order, from the next forward pass in the block.

    Outputs are cloned, so that an in-place ReLU behind a layer does not change them.
    """
    found: dict[int, Tensor] = {}
    outputs: list[Tensor] = []

    def keep(index: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            found[index] = output.clone()
            if len(found) == len(layers):
                outputs[:] = [found[position] for position in range(len(layers))]

        return hook

    with ExitStack() as hooks:
        for index, layer in enumerate(layers):
            hooks.enter_context(layer.register_forward_hook(keep(index)))
        yield outputs


@contextmanager
def differentiable_from(model: nn.Module, layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect the outputs of `layers`, shallow to deep, for gradients with respect to them.

    The autograd graph begins at the shallowest layer and contains no parameters: a backward pass
    computes gradients of neither earlier layers nor weights.
    """
    outputs: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        # A clone behind the leaf, because an in-place ReLU may not write to a leaf.
        leaf = output if outputs else output.detach().requires_grad_()
        outputs.append(leaf)
        return leaf.clone()

    with ExitStack() as hooks:
        for layer in layers:
            hooks.enter_context(layer.register_forward_hook(hook))
        hooks.enter_context(derivable_by_inputs(model))
        yield outputs


@contextmanager
def derivable_by_inputs(model: nn.Module) -> Iterator[None]:
    """Record an autograd graph in the block with all parameters as constants.

    Raises:
        RuntimeError: in `torch.inference_mode`, which records nothing.
    """
    check_gradients_are_recorded()
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def check_gradients_are_recorded() -> None:
    """Refuse `torch.inference_mode`, where derivatives may be zero without a word.

    Raises:
        RuntimeError: it is on; says what to do.
    """
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "gradients are needed, and torch.inference_mode() records none: call it outside, or "
            "under torch.no_grad(), which does no harm"
        )
