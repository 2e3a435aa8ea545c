"""Settings of the C library's memory allocator."""

import ctypes
import sys
from collections.abc import Callable
from typing import cast

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Let the C library reuse large blocks instead of returning them to the kernel at once.

    Every layer allocates and frees megabytes; new pages each time take a third of the time of
    training and up to a half of inference on a CPU. Only glibc has this setting; elsewhere nothing
    happens.
    """
    if (mallopt := _function_of_glibc("mallopt")) is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Return kept memory to the kernel: the next stage needs blocks of other sizes."""
    if (malloc_trim := _function_of_glibc("malloc_trim")) is not None:
        malloc_trim(0)


def _function_of_glibc(name: str) -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        return cast("Callable[..., int]", getattr(ctypes.CDLL("libc.so.6"), name))
    except (OSError, AttributeError):
        return None


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: a plain RuntimeError on a CPU and on some devices."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in ("can't allocate memory", "out of memory"))
