"""Networks written so that tracing them for images of any size takes seconds, not minutes."""

import copy
from typing import Any, TypeVar, cast

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


def traceable(network: T) -> T:
    """A copy of a network for images whose sides are multiples of its output stride.

    Nothing in it is computed in place: that is rewritten layer by layer on the way to ONNX, with
    a comparison of symbolic sizes each, which takes three times as long as all the rest.

    Raises:
        UnsupportedError: it has other layers with a padding that depends on the size.
    """
    network = copy.deepcopy(network)
    _replace_padding(network)
    for module in network.modules():
        if hasattr(module, "inplace"):
            cast("Any", module).inplace = False
    return network


def _replace_padding(module: nn.Module) -> None:
    from timm.layers.conv2d_same import Conv2dSame

    for name, child in module.named_children():
        if type(child) is Conv2dSame:
            setattr(module, name, StaticallyPadded(child))
        elif type(child).__name__.endswith("Same"):
            raise UnsupportedError(
                "network",
                f"a layer `{type(child).__name__}`, whose padding depends on the image's size",
                "layers with a fixed padding, or timm's Conv2dSame",
                "Export another network, or `formats=safetensors` alone.",
            )
        else:
            _replace_padding(child)
