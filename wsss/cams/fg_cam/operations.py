"""The operations that explanation components can pass, by the names torch gives them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from wsss.cams.fg_cam import explanation_components as rules

ELEMENTWISE = {
    *("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "elu", "gelu", "silu"),
    *("hardswish", "mish", "batch_norm", "dropout", "dropout2d", "feature_dropout"),
    *("clone", "contiguous", "detach", "to"),
}
"""Operations on each element alone: the components of the output are those of the input.

That keeps the sum whatever the function. Its value and slope do not count, which makes no
difference to a ReLU, and does to activations that are curved or negative (see `FGCAM`).
"""
ADDITIONS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
AFFINE = {
    *ADDITIONS,
    *("sub", "sub_", "__sub__", "__isub__", "mul", "mul_", "__mul__", "__rmul__", "__imul__"),
    *("div", "div_", "__truediv__", "__itruediv__"),
}
"""Operations that, with a constant, shift or scale each element: components stay, too."""
POOLING = {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"}
COPYING = {"pad", "flatten", "reshape", "view", "unflatten"}
CONVOLUTION_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")

Distribute = Callable[[Tensor], Iterable[Tensor]]
"""Components [b, …] of an operation's output, of one class, to those of each input."""
Prepare = Callable[[], Distribute]
"""Does the computations common to all classes, once."""


def unchanged() -> Distribute:
    """The rule of operations on each element alone."""
    return lambda components: [components]


def shared_out(rule: Callable[..., rules.Rule], *seen: Any) -> Prepare:
    """A rule of `explanation_components` with the operation's inputs."""

    def prepare() -> Distribute:
        prepared = rule(*seen)
        return lambda components: [prepared(components)]

    return prepare


def copying(x: Tensor, operation: rules.Operation) -> Prepare:
    """The rule of an operation that moves, repeats or drops elements of `x`."""
    # Its values do not matter, so that it need not be kept.
    like_x = partial(torch.zeros, x.shape, dtype=x.dtype, device=x.device)
    return lambda: shared_out(rules.before_copying, like_x(), operation)()


def addition(one: Callable[[], Tensor], other: Callable[[], Tensor]) -> Prepare:
    """The rule of the sum of two tensors, which are computed when they are needed."""

    def prepare() -> Distribute:
        share = rules.share_of_addition(one(), other())

        def distribute(components: Tensor) -> list[Tensor]:
            first = components * share
            return [first, components - first]

        return distribute

    return prepare


def concatenation(parts: Any, known: list[Tensor], dim: int = 0) -> Prepare:
    """Every part gets its slice; parts that do not descend from the root keep theirs."""
    sizes = [part.shape[dim] for part in parts]
    wanted = [any(part is one for one in known) for part in parts]

    def distribute(components: Tensor) -> list[Tensor]:
        slices = torch.split(components, sizes, dim)
        return [one for one, is_wanted in zip(slices, wanted, strict=True) if is_wanted]

    return lambda: distribute


def batch_norm_scale(
    _input: Tensor,
    _running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Factor of each channel, `γ / √(σ² + ε)`."""
    deviation = (running_var + eps).sqrt()
    return (torch.ones_like(deviation) if weight is None else weight.detach()) / deviation


def is_in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation may write to its first argument, a tensor."""
    if not isinstance(args[0], Tensor):
        return False
    by_name = name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))
    return by_name or any(value is True for value in (*args[1:], kwargs.get("inplace")))


def tensors_in(thing: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dictionaries."""
    if isinstance(thing, Tensor):
        return [thing]
    if isinstance(thing, dict):
        thing = thing.values()
    elif not isinstance(thing, (list, tuple)):
        return []
    return [tensor for part in thing for tensor in tensors_in(part)]
