"""TF32 where there is no GPU: products of factors that are rounded as a GPU rounds them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

DROPPED_BITS = 13
"""Of float32's 23 bits behind the point, TF32 keeps 10."""

FACTORS: Mapping[Any, tuple[int, ...]] = {
    torch.ops.aten.convolution.default: (0, 1),
    torch.ops.aten.convolution_backward.default: (0, 1, 2),
    torch.ops.aten.mm.default: (0, 1),
    torch.ops.aten.addmm.default: (1, 2),
    torch.ops.aten.bmm.default: (0, 1),
    torch.ops.aten.baddbmm.default: (1, 2),
}
"""Places of the factors among an operation's arguments; products are added up in float32."""


def as_tf32(values: Tensor) -> Tensor:
    """Float32 rounded to TF32, to the nearest and ties away from zero (`cvt.rna.tf32.f32`)."""
    bits = values.contiguous().view(torch.int32)
    rounded = (bits + (1 << DROPPED_BITS - 1)) & -(1 << DROPPED_BITS)
    return rounded.view(torch.float32).view_as(values)


class RoundedFactors(TorchDispatchMode):
    """Rounds the factors of all products in float32 in a block of one thread."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call an operation, one of products with rounded factors."""
        places = FACTORS.get(func, ())
        args = [
            as_tf32(one) if place in places and one.dtype == torch.float32 else one
            for place, one in enumerate(args)
        ]
        return func(*args, **(kwargs or {}))


class RoundingFabric:
    """A fabric whose mixed precision, which stages enter in each of their threads, is TF32."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fabric, name)

    def autocast(self) -> RoundedFactors:
        """The block in which factors are rounded."""
        return RoundedFactors()
