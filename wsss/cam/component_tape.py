"""A forward pass that remembers how to carry explanation components back through it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from wsss.cam import explanation_components as rules
from wsss.errors import WsssError, user_error

ELEMENTWISE = {
    *("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "elu", "gelu", "silu"),
    *("hardswish", "mish", "batch_norm", "dropout", "dropout2d", "feature_dropout"),
    *("clone", "contiguous", "detach", "to"),
}
"""Operations on each element alone: the components of the output are those of the input."""
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
"""Components [n, b, …] of an operation's output to those of each input."""


@dataclass(slots=True)
class _Step:
    """One recorded operation; tensors are known by their numbers."""

    inputs: tuple[int, ...]
    output: int
    distribute: Distribute | WsssError
    """An error says why components cannot be carried through."""


class ComponentTape(TorchFunctionMode):
    """Records the operations of a forward pass that descend from one of its tensors.

    It sees the calls of its own thread alone: unlike a symbolic trace, which replaces
    `nn.Module.__call__` for everyone, it leaves the other threads' passes in peace. Operations in
    place are done on copies, so that what was recorded stays. Inputs are kept where a rule needs
    them. Networks may mix modules and functions as they like.
    """

    def __init__(self, fold_batch_norm: bool) -> None:
        """Begin empty; see `recording`."""
        super().__init__()
        self.running: list[str] = []
        """Names of the modules that are running, outermost first."""
        self._fold_batch_norm = fold_batch_norm
        self._forget()

    def _forget(self) -> None:
        self._steps: list[_Step] = []
        self._number = WeakTensorKeyDictionary()
        self._count = 0
        self._images: set[int] = set()
        self._pads: dict[int, tuple[int, Tensor, rules.Operation]] = {}
        self._scales: dict[int, list[Tensor]] = {}

    def begin(self, root: Tensor, is_image: bool = False) -> None:
        """Record what descends from `root`, and nothing before it.

        The first convolution of an image follows the rule for bounded input.
        """
        self._forget()
        number = self._add(root)
        if is_image:
            self._images.add(number)

    def _add(self, value: Tensor) -> int:
        self._number[value] = self._count
        self._count += 1
        return self._count - 1

    def check(self, output: Tensor) -> None:
        """Refuse a pass that components cannot be carried back through.

        Raises:
            WsssError: names the operation and the module it is in.
        """
        wanted = {self._number[output]}
        for step in reversed(self._steps):
            if step.output in wanted:
                if isinstance(step.distribute, WsssError):
                    raise step.distribute
                wanted.update(step.inputs)

    def carry_back(
        self, output: Tensor, components: Float[Tensor, "n b ..."]
    ) -> Float[Tensor, "n b ..."]:
        """Components, for n classes, of the tensor that the tape began with.

        Args:
            output: a tensor of the pass, which descends from that one.
            components: of `output`.

        Raises:
            WsssError: components cannot be carried through one of the operations.
        """
        self.check(output)
        carried = {self._number[output]: components}
        for step in reversed(self._steps):
            if step.output in carried:
                assert not isinstance(step.distribute, WsssError)
                shares = step.distribute(carried.pop(step.output))
                for number, share in zip(step.inputs, shares, strict=True):
                    carried[number] = carried[number] + share if number in carried else share
        return carried[0]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do an operation; record it if it descends from the root."""
        kwargs = dict(kwargs or {})
        known = [value for value in _tensors((args, kwargs)) if value in self._number]
        if not known:
            return func(*args, **kwargs)
        if _is_in_place(func.__name__, args, kwargs) and isinstance(args[0], Tensor):
            result = func(args[0].clone(), *args[1:], **kwargs)
        else:
            result = func(*args, **kwargs)
        for output in _tensors(result):
            if output not in self._number:
                self._record(func, args, kwargs, known, output, output is result)
        return result

    def _record(
        self,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        known: list[Tensor],
        output: Tensor,
        is_only_output: bool,
    ) -> None:
        """Add a step by the rule of its operation."""
        name = function.__name__ if is_only_output else f"{function.__name__} of several outputs"
        sources = tuple(self._number[value] for value in known)
        source, x = sources[0], known[0]
        number = self._add(output)
        alone = len(known) == 1
        distribute: Distribute | WsssError

        def again(value: Tensor) -> Tensor:
            return function(value, *args[1:], **kwargs)  # type: ignore[no-any-return]

        if alone and name == "conv2d":
            sources, distribute = self._convolution(function, args, kwargs, source, number)
        elif alone and name in ELEMENTWISE | AFFINE:
            distribute = _unchanged
            if name in AFFINE and source in self._images:
                self._images.add(number)
            if name == "batch_norm" and self._fold_batch_norm and source in self._scales:
                self._scales[source].append(_batch_norm_scale(*args, **kwargs))
        elif alone and name in POOLING:
            distribute = _pooling(x, again)
        elif alone and name in COPYING:
            distribute = _copying(x, again)
            if name == "pad":
                self._pads[number] = source, x, again
        elif name in ("cat", "concat") and args and isinstance(args[0], (list, tuple)):
            distribute = _concatenation(args[0], known, *args[1:], **kwargs)
        elif name in ADDITIONS and len(args) == 2 and not kwargs and x.shape == known[-1].shape:
            distribute = _addition(x, known[1])
        else:
            distribute = self._unsupported(name)
        self._steps.append(_Step(sources, number, distribute))

    def _convolution(
        self,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        source: int,
        number: int,
    ) -> tuple[tuple[int], Distribute]:
        """The number of a convolution's input, and its rule."""
        options = dict(zip(CONVOLUTION_ARGUMENTS, args, strict=False)) | kwargs
        x, weight = options.pop("input"), options.pop("weight").detach()
        options.pop("bias", None)
        scales: list[Tensor] = []
        self._scales[number] = scales
        pad: rules.Operation | None = None
        if source in self._pads:
            # Padding is part of the convolution: it is no pixel of the image, whose bounds count.
            source, x, pad = self._pads[source]
        is_first = source in self._images
        rule = rules.before_first_convolution if is_first else rules.before_convolution

        def convolve(values: Tensor, kernel: Tensor) -> Tensor:
            return function(values if pad is None else pad(values), kernel, **options)  # type: ignore[no-any-return]

        def distribute(components: Tensor) -> list[Tensor]:
            kernel = weight
            for scale in scales:
                kernel = kernel * scale[:, None, None, None]
            return [rule(components, x, kernel, convolve)]

        return (source,), distribute

    def _unsupported(self, name: str) -> WsssError:
        place = self.running[-1] if self.running else "the network"
        return user_error(
            "cam=FGCAM",
            f"the operation {name} in {place}",
            "convolutions, pooling, additions and operations on each element alone",
            "Use a network without it, such as `backbone=resnet50` or efficientnet_lite0, or a "
            "target_layer behind it.",
        )


@contextmanager
def recording(
    features: nn.Module, root: nn.Module | Tensor, fold_batch_norm: bool = False
) -> Iterator[ComponentTape]:
    """Record the passes through `features` in the block.

    Args:
        features: the network.
        root: the module whose output the tape begins with, or the images that enter.
        fold_batch_norm: whether the scale of a batch norm counts as part of the weights of the
            convolution before it.
    """
    tape = ComponentTape(fold_batch_norm)
    handles = []
    for name, module in features.named_modules():
        title = f"{name} ({type(module).__name__})" if name else type(module).__name__
        handles += [
            module.register_forward_pre_hook(lambda *_, title=title: tape.running.append(title)),
            module.register_forward_hook(lambda *_: tape.running.pop() and None),
        ]
    if isinstance(root, Tensor):
        tape.begin(root, is_image=True)
    else:
        handles.append(root.register_forward_hook(lambda _module, _inputs, out: tape.begin(out)))
    try:
        with tape:
            yield tape
    finally:
        for handle in handles:
            handle.remove()


def _unchanged(components: Tensor) -> list[Tensor]:
    return [components]


def _pooling(x: Tensor, pool: rules.Operation) -> Distribute:
    return lambda components: [rules.before_pooling(components, x, pool)]


def _addition(one: Tensor, other: Tensor) -> Distribute:
    return lambda components: rules.before_addition(components, one, other)


def _copying(x: Tensor, operation: rules.Operation) -> Distribute:
    shape = x.shape

    def distribute(components: Tensor) -> list[Tensor]:
        return [rules.before_copying(components, components.new_zeros(shape), operation)]

    return distribute


def _concatenation(parts: Any, known: list[Tensor], dim: int = 0) -> Distribute:
    """Every part gets its slice; parts that do not descend from the root keep theirs."""
    axis = dim + 1 if dim >= 0 else dim
    sizes = [part.shape[dim] for part in parts]
    wanted = [any(part is one for one in known) for part in parts]

    def distribute(components: Tensor) -> list[Tensor]:
        slices = torch.split(components, sizes, axis)
        return [one for one, is_wanted in zip(slices, wanted, strict=True) if is_wanted]

    return distribute


def _batch_norm_scale(
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


def _is_in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation may write to its first argument."""
    by_name = name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))
    return by_name or any(value is True for value in (*args[1:], kwargs.get("inplace")))


def _tensors(thing: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dictionaries."""
    if isinstance(thing, Tensor):
        return [thing]
    if isinstance(thing, dict):
        thing = thing.values()
    elif not isinstance(thing, (list, tuple)):
        return []
    return [tensor for part in thing for tensor in _tensors(part)]
