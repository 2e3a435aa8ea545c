"""Torch's devices: which there are, what runs on them, and how tensors lie in their memory."""

import os
from importlib.util import find_spec

import torch

from wsss.errors import InvalidOptionError

OLDEST_FOR_TRITON = (8, 0)
"""Compute capability that Triton supports from: NVIDIA's Ampere."""


def usable_device(word: str | None) -> str:
    """A device that is available.

    Args:
        word: torch's name of a device; None: a GPU if there is one, else the CPU.

    Raises:
        InvalidOptionError: there is no such device here.
    """
    if word is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=word).cpu()
    # The exception depends on the device and on the build of torch.
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InvalidOptionError(
            "device",
            word,
            "cpu, cuda, cuda:1 or mps",
            f"it cannot be used here ({str(error).splitlines()[0]})",
            "Leave it out: a GPU is used if there is one.",
        ) from error
    return word


def device_name(device: torch.device) -> str:
    """The name of a card, or the kind of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def memory_format(device: torch.device) -> torch.memory_format:
    """How a network and its images lie in memory.

    Channels last on a CPU, whose convolutions are a third faster so. Contiguous on a GPU: torch
    then computes depthwise convolutions in float32 by kernels of its own, while cuDNN, which takes
    those of channels last, compiles plans for every new shape of images, seconds each (2.1 s with
    EfficientNet on one H200, cuDNN 9).
    """
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def runs_triton(device: torch.device) -> bool:
    """Whether Triton's kernels run on a device: on CUDA, or wherever Triton interprets them."""
    if find_spec("triton") is None:
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return True
    if device.type != "cuda" or torch.version.hip is not None or not torch.cuda.is_available():
        return False
    return torch.cuda.get_device_capability(device) >= OLDEST_FOR_TRITON
