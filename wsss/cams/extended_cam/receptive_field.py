"""The receptive field of features, from the arithmetic of the layers that make them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from wsss.errors import UnsupportedError

FIELDS = "receptive_fields"
"""Attribute of a tensor under observation: its fields along height and width."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Receptive field of a cell along one axis of the image, in pixels."""

    size: int = 1
    """Pixels from the first to the last, both included."""
    jump: int = 1
    """Pixels from the centre of a cell to the next."""
    centre: float = 0.5
    """Centre of cell 0's field; that of the first pixel is ½."""
    variance: float = 0.0
    """Variance of the effective field of uniform weights: each layer adds `(k² - 1)/12 · jump²`."""

    @property
    def sigma(self) -> float:
        """Standard deviation of the effective receptive field in pixels."""
        return math.sqrt(self.variance)

    def behind(self, kernel: int, stride: int, padding: float, dilation: int) -> "ReceptiveField":
        """The field behind a convolution or a pooling."""
        jump = self.jump * dilation
        return ReceptiveField(
            self.size + (kernel - 1) * jump,
            self.jump * stride,
            self.centre + ((kernel - 1) * dilation / 2 - padding) * self.jump,
            self.variance + (kernel**2 - 1) / 12 * jump**2,
        )


Fields = tuple[ReceptiveField, ReceptiveField]


def features_and_fields(
    network: nn.Module, images: Float[Tensor, "b 3 H W"]
) -> tuple[Float[Tensor, "b k h w"], Fields]:
    """Run a network and note the receptive fields of its features along height and width.

    Convolutions, poolings and paddings change a field, everything else passes the widest of its
    inputs on: residual sums see as far as their longest branch, gates and attention add nothing.

    Raises:
        WsssError: the features do not come from the images by torch's functions.
    """
    seen = images.view_as(images)
    setattr(seen, FIELDS, (ReceptiveField(), ReceptiveField()))
    with _Arithmetic():
        features = network(seen)
    fields: Fields | None = vars(features).pop(FIELDS, None)
    if fields is None:
        raise UnsupportedError(
            "ExtendedCAM",
            f"a {type(network).__name__}, whose features' receptive field cannot be followed",
            "features computed from the images by torch's functions",
            "Give Extended-CAM a width in pixels, or `stride`, and grid alignment.",
        )
    return features, fields


class _Arithmetic(TorchFunctionMode):
    """Attaches receptive fields to the tensors that functions return."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        fields = _widest([*args, *kwargs.values()])
        result = func(*args, **kwargs)
        if fields is None:
            return result
        rule = _RULES.get(func)
        after = fields if rule is None else rule(fields, *args, **kwargs)
        for output in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(output, Tensor):
                setattr(output, FIELDS, after)
        return result


def _widest(inputs: Sequence[Any]) -> Fields | None:
    """The fields with the greatest variance among the tensors in a function's arguments."""
    flat = [
        one
        for value in inputs
        for one in (value if isinstance(value, (tuple, list)) else (value,))
        if isinstance(one, Tensor)
    ]
    found = [getattr(tensor, FIELDS) for tensor in flat if hasattr(tensor, FIELDS)]
    return max(found, key=lambda fields: fields[0].variance + fields[1].variance, default=None)


def _pair(value: Any) -> tuple[Any, Any]:
    """Settings of height and width, from one for both or one for each."""
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def _convolution(
    fields: Fields,
    _input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Fields:
    kernels, dilations = _pair(tuple(weight.shape[2:])), _pair(dilation)
    if isinstance(padding, str):
        reach = [(k - 1) * d // 2 for k, d in zip(kernels, dilations, strict=True)]
        padding = tuple(reach) if padding == "same" else 0
    return _behind(fields, kernels, _pair(stride), _pair(padding), dilations)


def _max_pooling(
    fields: Fields,
    _input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *_others: Any,
    **_more: Any,
) -> Fields:
    step = _pair(stride if stride else kernel_size)
    return _behind(fields, _pair(kernel_size), step, _pair(padding), _pair(dilation))


def _average_pooling(
    fields: Fields,
    _input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *_others: Any,
    **_more: Any,
) -> Fields:
    return _max_pooling(fields, _input, kernel_size, stride, padding)


def _padding(
    fields: Fields, _input: Tensor, pad: Sequence[int], *_args: Any, **_more: Any
) -> Fields:
    """Cells before the first, at the left and the top; `pad` starts with the last axis."""
    before = (pad[2] if len(pad) > 2 else 0, pad[0])
    return _behind(fields, (1, 1), (1, 1), before, (1, 1))


def _behind(fields: Fields, *settings: tuple[Any, Any]) -> Fields:
    height, width = (
        field.behind(*axis) for field, axis in zip(fields, zip(*settings, strict=True), strict=True)
    )
    return height, width


_RULES: dict[Any, Callable[..., Fields]] = {
    F.conv2d: _convolution,
    F.max_pool2d: _max_pooling,
    torch.max_pool2d: _max_pooling,
    F.avg_pool2d: _average_pooling,
    F.pad: _padding,
}
"""Functions that move or widen a field."""
