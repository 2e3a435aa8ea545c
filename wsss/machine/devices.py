"""Devices that a user may name."""

import torch

from wsss.errors import user_error


def usable_device(word: str | None, where: str, option: str) -> str:
    """A device that can be computed on.

    Args:
        word: torch's name of it; None: a GPU if there is one, else the CPU.
        where: what names it, for the message.
        option: what to leave out to do without.

    Raises:
        WsssError: there is no such device here.
    """
    if word is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=word).cpu()
    # What torch raises depends on the device and on how it was built.
    except (RuntimeError, AssertionError, TypeError) as error:
        raise user_error(
            where,
            f"its device `{word}` cannot be used here ({str(error).splitlines()[0]})",
            "cpu, cuda, cuda:1 or mps",
            f"Leave {option} out: a GPU is used if there is one.",
        ) from error
    return word
