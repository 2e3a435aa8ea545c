"""Recording of a forward pass, to carry explanation components back through it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from wsss.cams.fg_cam import explanation_components as rules
from wsss.cams.fg_cam import operations, steps
from wsss.errors import UnsupportedError, WsssError


class ComponentTape(TorchFunctionMode):
    """Records the operations of a forward pass that descend from one of its tensors.

    It records its own thread alone; a symbolic trace would replace `nn.Module.__call__` in all of
    them. Operations in place are done on copies, so that recorded tensors keep their values. Inputs
    are kept where a rule needs them: those of convolutions and pooling. The terms of sums, as large
    as a block's output, are computed anew from the inputs of their convolutions. Networks may mix
    modules and functions as they like.
    """

    def __init__(self, fold_batch_norm: bool, even_strides: bool) -> None:
        """Begin empty; see `recording`."""
        super().__init__()
        self.running: list[str] = []
        """Names of the modules that are running, outermost first."""
        self._fold_batch_norm = fold_batch_norm
        self._even_strides = even_strides
        self._forget()

    def _forget(self) -> None:
        self._steps: list[steps.Step] = []
        self._number = WeakTensorKeyDictionary()
        self._count = 0
        self.end()

    def end(self) -> None:
        """Drop the state that only recording needs."""
        self._images: set[int] = set()
        self._pads: dict[int, tuple[int, Tensor, rules.Operation]] = {}
        self._scales: dict[int, list[Tensor]] = {}
        self._anew: dict[int, Callable[[], Tensor]] = {}
        """Recompute outputs of convolutions, and of operations on them alone."""

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
        steps.check(self._steps, self._number[output])

    def carry_back(
        self, output: Tensor, components: Float[Tensor, "n b ..."], classes_per_pass: int
    ) -> Iterator[Float[Tensor, "b ..."]]:
        """Components, class by class, of the tensor that the tape began with; uses the tape up.

        Args:
            output: a tensor of the pass, which descends from that one.
            components: of `output`, for n classes.
            classes_per_pass: classes that are carried back together.

        Raises:
            WsssError: components cannot be carried through one of the operations.
        """
        return steps.carry_back(self._steps, self._number[output], components, classes_per_pass)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do an operation; record it if it descends from the root."""
        kwargs = dict(kwargs or {})
        known = [value for value in operations.tensors_in((args, kwargs)) if value in self._number]
        if not known:
            return func(*args, **kwargs)
        if args and operations.is_in_place(func.__name__, args, kwargs):
            result = func(args[0].clone(), *args[1:], **kwargs)
        else:
            result = func(*args, **kwargs)
        for output in operations.tensors_in(result):
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
        is_first = alone and bool(args) and args[0] is x
        # Without the first of `args`, an intermediate map that need not be kept.
        others = args[1:]
        prepare: operations.Prepare | WsssError

        def again(value: Tensor) -> Tensor:
            return function(value, *others, **kwargs)  # type: ignore[no-any-return]

        if alone and name == "conv2d":
            sources, prepare = self._convolution(function, args, kwargs, source, number)
            if is_first:
                self._anew[number] = lambda: again(x)
        elif (
            (is_first or name in operations.ADDITIONS)
            and name in operations.ELEMENTWISE | operations.AFFINE
            and output.shape == x.shape
            and alone
        ):
            prepare = operations.unchanged
            if is_first and (anew := self._anew.get(source)):
                self._anew[number] = lambda: again(anew())
            if name in operations.AFFINE and source in self._images:
                self._images.add(number)
            if name == "batch_norm" and self._fold_batch_norm and source in self._scales:
                self._scales[source].append(operations.batch_norm_scale(*args, **kwargs))
        elif is_first and name in operations.POOLING:
            prepare = operations.shared_out(rules.before_pooling, x, again)
        elif is_first and name in operations.COPYING:
            prepare = operations.copying(x, again)
            if name == "pad":
                self._pads[number] = source, x, again
        elif name in ("cat", "concat") and args and isinstance(args[0], (list, tuple)):
            prepare = operations.concatenation(args[0], known, *args[1:], **kwargs)
        elif (
            name in operations.ADDITIONS
            and len(args) == 2
            and not kwargs
            and x.shape == known[-1].shape
        ):
            prepare = operations.addition(self._term(x), self._term(known[1]))
        else:
            prepare = self._unsupported(name)
        self._steps.append(steps.Step(sources, number, prepare))

    def _term(self, value: Tensor) -> Callable[[], Tensor]:
        """A term of a sum: recomputed where its inputs are kept anyway, else kept."""
        return self._anew.get(self._number[value], lambda: value)

    def _convolution(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], source: int, number: int
    ) -> tuple[tuple[int], operations.Prepare]:
        """The number of a convolution's input, and its rule."""
        options = dict(zip(operations.CONVOLUTION_ARGUMENTS, args, strict=False)) | kwargs
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
        evenly = self._even_strides and _is_strided(options.get("stride", 1))

        def convolve(values: Tensor, kernel: Tensor) -> Tensor:
            return function(values if pad is None else pad(values), kernel, **options)  # type: ignore[no-any-return]

        def prepare() -> operations.Distribute:
            kernel = weight
            for scale in scales:
                kernel = kernel * scale[:, None, None, None]
            return operations.shared_out(rule, x, kernel, convolve, evenly)()

        return (source,), prepare

    def _unsupported(self, name: str) -> WsssError:
        place = self.running[-1] if self.running else "the network"
        return UnsupportedError(
            "FGCAM",
            f"the operation {name} in {place}",
            "convolutions, pooling, additions and operations on each element alone",
            "Use a network without it, such as ResNet-50 or EfficientNet-Lite0, or a "
            "`target_layer` behind it.",
        )


def _is_strided(stride: int | Sequence[int]) -> bool:
    """Whether a convolution leaves out positions, in either direction."""
    return max([stride] if isinstance(stride, int) else stride) > 1


@contextmanager
def recording(
    features: nn.Module,
    root: nn.Module | Tensor,
    fold_batch_norm: bool = False,
    even_strides: bool = True,
) -> Iterator[ComponentTape]:
    """Record the passes through `features` in the block.

    Args:
        features: the network.
        root: the module whose output the tape begins with, or the images that enter.
        fold_batch_norm: whether the scale of a batch norm counts as part of the weights of the
            convolution before it.
        even_strides: whether strided convolutions share out evenly (`rules.evenly_seen`).
    """
    tape = ComponentTape(fold_batch_norm, even_strides)
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
        tape.end()
        for handle in handles:
            handle.remove()
