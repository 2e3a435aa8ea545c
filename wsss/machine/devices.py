"""Validation of torch devices."""

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
