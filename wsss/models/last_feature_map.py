"""The module calls of one forward pass, and which of them outputs the last feature map."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wsss.errors import unknown_word, user_error

_FIXED_SIZE_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """One call of a module in a forward pass, recorded when it ended; equal to no other call."""

    name: str
    module: nn.Module
    shape: torch.Size
    """Of its output."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One call of a module, whose output is a feature map."""

    name: str
    module: nn.Module
    turned: bool
    """Whether the map is channels-last, [B, h, w, K], as in Swin transformers."""
    number: int = 1
    """Which of its calls in a forward pass, from 1: a network may share a ReLU."""

    @contextmanager
    def hooked(self, replace: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Replace the layer's output by `replace(output)` in the forward pass of the block."""
        calls = 0

        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor | None:
            nonlocal calls
            calls += 1
            return replace(output) if calls == self.number else None

        with self.module.register_forward_hook(hook):
            yield


@contextmanager
def noting_calls(modules: Iterable[tuple[str, nn.Module]]) -> Iterator[list[LayerCall]]:
    """Record every call in the block of one of the named modules that outputs a tensor."""
    calls: list[LayerCall] = []

    def noting(name: str) -> Any:
        def hook(module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                calls.append(LayerCall(name, module, output.shape))

        return hook

    with ExitStack() as hooks:
        for name, module in modules:
            if name:
                hooks.enter_context(module.register_forward_hook(noting(name)))
        yield calls


def last_map_layer(calls: Sequence[LayerCall], size: tuple[int, int]) -> Layer | None:
    """The last call that outputs a map of several positions, before a pooling to a fixed size.

    Args:
        calls: of one image.
        size: its height and width.

    Returns:
        None if there is none, or tokens follow it.
    """
    found: LayerCall | None = None
    for call in calls:
        if _is_map(call.shape, size) and not isinstance(call.module, _FIXED_SIZE_POOLS):
            found = call
        elif _is_tokens(call.shape) and not (found and _flattens(found.shape, call.shape)):
            found = None
    return None if found is None else _layer(found, calls, size)


def named_layer(
    layer: str | nn.Module, network: nn.Module, calls: Sequence[LayerCall], size: tuple[int, int]
) -> Layer:
    """The last call of the requested layer.

    Args:
        layer: its name in the network, or the module itself.
        network: whose layer it is.
        calls: of one image.
        size: its height and width.

    Raises:
        WsssError: the network has no such layer, or it did not run, or gives no map.
    """
    names = {module: name for name, module in network.named_modules() if name}
    if not isinstance(layer, str | nn.Module):
        raise user_error(
            "layer", f"{layer!r:.80}", "the name of a layer, or the module itself",
            "Give one of the names in `dict(model.named_modules())`, or leave `layer` out.",
        )  # fmt: skip
    if isinstance(layer, nn.Module) and layer not in names:
        raise user_error(
            "layer", f"a {type(layer).__name__} that is no module of the network",
            "one of `model.modules()`", "Take it from the same network, or give its name.",
        )  # fmt: skip
    name = names[layer] if isinstance(layer, nn.Module) else layer
    if name not in names.values():
        remedy = "Correct the name; `dict(model.named_modules())` has them all."
        raise unknown_word("layer", "layer", name, list(names.values()), remedy)
    for call in reversed(calls):
        if call.name == name and _is_map(call.shape, size):
            return _layer(call, calls, size)
    shapes = [list(call.shape) for call in calls if call.name == name]
    raise user_error(
        f"layer={name}",
        f"its output is {shapes[-1]}" if shapes else "it gives no tensor, or does not run",
        "a layer that gives a map [B, K, h, w], or [B, h, w, K], of several positions",
        "Name an earlier one, or leave `layer` out.",
    )


def inner_layers(calls: Sequence[LayerCall], size: tuple[int, int]) -> dict[str, nn.Module]:
    """The last module at each resolution of a feature map, shallow to deep, by name.

    Modules that run several times, such as a shared ReLU, are left out, as their name is ambiguous;
    so are channels-last maps.
    """
    names = [call.name for call in calls]
    last = {
        call.shape[2:]: call
        for call in calls
        if _is_map(call.shape, size) and not is_channels_last(call.shape, size)
        if names.count(call.name) == 1
    }
    return {call.name: call.module for call in sorted(last.values(), key=calls.index)}


def is_channels_last(shape: torch.Size, size: tuple[int, int]) -> bool:
    """Whether a map is [B, h, w, K]: these h, w are closer to the aspect ratio of the image."""
    first, last = (abs(h * size[1] - w * size[0]) for h, w in (shape[2:4], shape[1:3]))
    return last < first


def _layer(call: LayerCall, calls: Sequence[LayerCall], size: tuple[int, int]) -> Layer:
    number = sum(one.name == call.name for one in calls[: calls.index(call) + 1])
    return Layer(call.name, call.module, is_channels_last(call.shape, size), number)


def _is_map(shape: torch.Size, size: tuple[int, int]) -> bool:
    """Whether a shape has several channels and positions, and no more than the image's pixels."""
    if len(shape) != 4:
        return False
    turned = is_channels_last(shape, size)
    height, width = shape[1:3] if turned else shape[2:4]
    channels = shape[3] if turned else shape[1]
    fits = height <= size[0] and width <= size[1] and height * width > 1
    return shape[0] == 1 and channels > 1 and fits


def _is_tokens(shape: torch.Size) -> bool:
    return len(shape) == 3 and shape[0] == 1 and min(shape[1:]) > 1


def _flattens(of_map: torch.Size, shape: torch.Size) -> bool:
    """Whether a shape is that of a map [B, K, h, w] with its positions in one row."""
    return tuple(shape[1:]) == (of_map[1], of_map[2:].numel())
