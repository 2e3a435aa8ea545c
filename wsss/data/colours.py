"""RGB values as networks take them."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor


def in_unit_range(images: UInt8[Tensor, "*b"]) -> Float32[Tensor, "*b"]:
    """RGB levels 0…255 as values in [0, 1], the same on every device.

    A GPU divides by a number of the host by multiplying with its rounded reciprocal, which gives
    others in their last bit; by a tensor of its own it divides.
    """
    return images.float() / torch.full((), 255.0, device=images.device)
