"""Devices that a user may name."""

import torch

from wsss.errors import InvalidOptionError


def usable_device(word: str | None) -> str:
    """A device that can be computed on.

    Args:
        word: torch's name of it; None: a GPU if there is one, else the CPU.

    Raises:
        InvalidOptionError: there is no such device here.
    """
    if word is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=word).cpu()
    # What torch raises depends on the device and on how it was built.
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InvalidOptionError(
            "device",
            word,
            "cpu, cuda, cuda:1 or mps",
            f"it cannot be used here ({str(error).splitlines()[0]})",
            "Leave it out: a GPU is used if there is one.",
        ) from error
    return word
