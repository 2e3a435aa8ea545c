"""Networks written so that tracing them for images of any size takes seconds, not minutes."""

import copy
from typing import Any, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.errors import UnsupportedError

T = TypeVar("T", bound=nn.Module)


class StaticallyPadded(nn.Module):
    """A convolution that pads its input as timm's `Conv2dSame` does at multiples of its stride.

    There the padding is `(kernel - 1) * dilation + 1 - stride`, whatever the size. Computed from
    symbolic sizes, layer after layer, it makes tracing a network take minutes.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Share the weights of a convolution."""
        super().__init__()
        self.convolution = convolution
        self.padding: list[int] = []
        options = zip(
            convolution.kernel_size, convolution.stride, convolution.dilation, strict=True
        )
        for kernel, stride, dilation in reversed([*options]):  # Padding begins with the last side.
            total = max((kernel - 1) * dilation + 1 - stride, 0)
            self.padding += [total // 2, total - total // 2]

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k2 h2 w2"]:
        """The convolution of features whose sides are multiples of the stride."""
        one = self.convolution
        padded = F.pad(features, self.padding)
        return F.conv2d(padded, one.weight, one.bias, one.stride, 0, one.dilation, one.groups)


class PooledByProducts(nn.Module):
    """Means of a fixed number of cells, as `nn.AdaptiveAvgPool2d` takes them, as matrix products.

    A cell goes from `floor(i h / n)` to `ceil((i + 1) h / n)`: those of neighbours overlap, and how
    is known only with h, for which tracing has no form.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Take the number of rows and columns of the result."""
        super().__init__()
        self.size = size

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k n m"]:
        """The means."""
        height, width = features.shape[2:]
        rows, columns = (_shares(*one) for one in zip(self.size, (height, width), strict=True))
        return rows @ features @ columns.T


def _shares(cells: int, side: int) -> Float[Tensor, "n h"]:
    """How much every position of a side adds to each of `cells` means."""
    numbers, positions = torch.arange(cells)[:, None], torch.arange(side)
    first, behind = numbers * side // cells, ((numbers + 1) * side + cells - 1) // cells
    inside = (positions >= first) & (positions < behind)
    return inside / (behind - first)


def traceable(network: T) -> T:
    """A copy of a network for images whose sides are multiples of its output stride.

    Nothing in it is computed in place: that is rewritten layer by layer on the way to ONNX, with
    a comparison of symbolic sizes each, which takes three times as long as all the rest.

    Raises:
        UnsupportedError: it has other layers with a padding that depends on the size.
    """
    network = copy.deepcopy(network)
    _replace(network)
    for module in network.modules():
        if hasattr(module, "inplace"):
            cast("Any", module).inplace = False
    return network


def _replace(module: nn.Module) -> None:
    """Replace the layers inside a module whose work depends on the size of their input."""
    from timm.layers.conv2d_same import Conv2dSame

    for name, child in module.named_children():
        if type(child) is Conv2dSame:
            setattr(module, name, StaticallyPadded(child))
        elif type(child) is nn.AdaptiveAvgPool2d and (size := _several(child)):
            setattr(module, name, PooledByProducts(size))
        elif type(child).__name__.endswith("Same"):
            raise UnsupportedError(
                "network",
                f"a layer `{type(child).__name__}`, whose padding depends on the image's size",
                "layers with a fixed padding, or timm's Conv2dSame",
                "Export another network, or `formats=safetensors` alone.",
            )
        else:
            _replace(child)


def _several(pool: nn.AdaptiveAvgPool2d) -> tuple[int, int] | None:
    """The rows and columns that a pool gives; None for the mean of all, which can be traced."""
    given = pool.output_size
    rows, columns = given if isinstance(given, tuple) else (given, given)
    if rows is None or columns is None or rows == columns == 1:
        return None
    return rows, columns
