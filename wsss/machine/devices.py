"""Torch devices: which there are, and what runs on them."""

import os
from importlib.util import find_spec

import torch

from wsss.errors import InvalidOptionError


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


def runs_triton(device: torch.device) -> bool:
    """Whether Triton's kernels run on a device: on CUDA, or wherever Triton interprets them."""
    is_cuda = device.type == "cuda" and torch.version.hip is None
    interprets = os.environ.get("TRITON_INTERPRET") == "1"
    return (is_cuda or interprets) and find_spec("triton") is not None
