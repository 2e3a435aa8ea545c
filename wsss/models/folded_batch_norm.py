"""Convolutions that do the work of the batch norms behind them, for faster inference."""

import copy
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

from wsss.machine.memory import out_of_memory
from wsss.models.traced_graph import black_image

log = logging.getLogger(__name__)

TRIAL_SIZE_PX = 64
"""Side of the image on which a network's operations are watched."""

BatchNorm = nn.modules.batchnorm._BatchNorm
M = TypeVar("M", bound=nn.Module)


def folded(model: M, network: nn.Module) -> M:
    """A copy of a model whose convolutions hold the scales and shifts of batch norms behind them.

    In evaluation mode a batch norm multiplies every channel by a number and adds another, which the
    weights and bias of the convolution before it can do: the outputs are the same but for rounding,
    with one pass over the feature map less. A batch norm stays where its input is used elsewhere,
    too, and where it or its convolution is used more than once. An activation that is part of the
    batch norm stays in its place. Tensors that do not change are shared with the original. Which
    layers stand behind one another is seen in a pass of a small black image; a network that does
    not take one, such as a transformer of one image size, stays as it is.

    Args:
        model: in evaluation mode.
        network: the part of the model that takes images [B, 3, H, W], or the model itself.

    Returns:
        The copy, or the model itself where there is nothing to fold.
    """
    if not any(isinstance(layer, BatchNorm) for layer in network.modules()):
        return model
    watched = _watched(network)
    pairs = [] if watched is None else _pairs(network, watched)
    if not pairs:
        return model
    names = {layer: name for name, layer in model.named_modules()}
    shared = [*model.parameters(), *model.buffers()]
    copied: M = copy.deepcopy(model, {id(tensor): tensor for tensor in shared})
    for convolution, norm in pairs:
        _replace(copied, names[convolution], _fold(convolution, norm))
        _replace(copied, names[norm], getattr(norm, "act", None) or nn.Identity())
    return copied


def _fold(convolution: nn.Module, norm: BatchNorm) -> nn.Module:
    """A convolution that does the work of a batch norm, too; float64 rounds it only once."""
    exact = [copy.deepcopy(layer).double() for layer in (convolution, norm)]
    return fuse_conv_bn_eval(*exact).to(next(convolution.parameters()).dtype)  # type: ignore[arg-type, type-var]


def _replace(model: nn.Module, name: str, by: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, by)


def _watched(network: nn.Module) -> "_Watch | None":
    """A pass of a small black image; None where the network does not take one of this size."""
    watched = _Watch()
    image = black_image(network, TRIAL_SIZE_PX, TRIAL_SIZE_PX)
    try:
        with torch.no_grad(), watched:
            network(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        if out_of_memory(error):
            raise
        log.debug("batch norms stay: no pass of %d px: %s", TRIAL_SIZE_PX, error)
        return None
    return watched


def _pairs(network: nn.Module, watched: "_Watch") -> list[tuple[nn.Module, BatchNorm]]:
    """Convolutions of a network with the batch norm that alone takes their output."""
    layers = [layer for layer in network.modules() if not layer.training]
    convolutions = {
        id(layer.weight): layer for layer in layers if isinstance(layer, nn.modules.conv._ConvNd)
    }
    norms = {
        id(layer.running_mean): layer
        for layer in layers
        if isinstance(layer, BatchNorm) and layer.running_mean is not None
    }
    return [
        (convolutions[weight], norms[mean])
        for weight, mean in watched.alone()
        if weight in convolutions and mean in norms
    ]


class _Watch(TorchFunctionMode):
    """Notes which tensors convolutions give and batch norms take, and who else takes these."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = dict[int, tuple[int, Tensor]]()
        """By the output: the convolution's weight; and the tensor, whose number stays its own."""
        self.normalised = dict[int, int]()
        """By the input: the running mean of the batch norm."""
        self.uses = Counter[int]()
        """How often each tensor is an argument."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function as usual."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, torch.Size) or not isinstance(result, (Tensor, list, tuple)):
            return result  # Of a tensor's form, not of what is in it.
        for one in (*args, *kwargs.values()):
            parts = one if isinstance(one, (list, tuple)) else (one,)
            self.uses.update(id(part) for part in parts if isinstance(part, Tensor))
        if func in (F.conv1d, F.conv2d, F.conv3d) and isinstance(result, Tensor):
            weight = kwargs["weight"] if "weight" in kwargs else args[1]
            self.outputs[id(result)] = (id(weight), result)
            self.uses[id(result)] = 0  # A tensor that is no more may have had this number.
        elif func is F.batch_norm:
            source = kwargs["input"] if "input" in kwargs else args[0]
            mean = kwargs["running_mean"] if "running_mean" in kwargs else args[1]
            if id(source) in self.outputs:
                self.normalised[id(source)] = id(mean)
        return result

    def alone(self) -> list[tuple[int, int]]:
        """Weights and running means of layers that run once, and of whose tensor no other knows."""
        return [
            (weight, self.normalised[output])
            for output, (weight, _) in self.outputs.items()
            if output in self.normalised and self.uses[output] == 1
            if self.uses[weight] == 1 and self.uses[self.normalised[output]] == 1
        ]
