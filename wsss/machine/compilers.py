"""What torch.compile needs on a device."""

import os
import shutil
from importlib.util import find_spec

import torch

COMPILERS = ("c++", "g++", "clang++")


def why_not_compiled(device: torch.device) -> str | None:
    """Why torch.compile cannot make programs for a device; None where it can, as far as is known.

    It writes C++ for a CPU, and Triton for a GPU.
    """
    if device.type == "cuda":
        return None if find_spec("triton") else "Triton is not installed"
    named = os.environ.get("CXX", "")
    if any(shutil.which(one) for one in (named, *COMPILERS) if one):
        return None
    return f"there is no C++ compiler ({', '.join(COMPILERS)}, or that of CXX)"
