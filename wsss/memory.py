"""How this process keeps its memory."""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Let the C library reuse large blocks instead of returning them to the kernel at once.

    Every layer of a network allocates and frees megabytes; by default each time means new pages,
    which costs a third of the time of training and up to a half of inference on a CPU. Only glibc
    has this setting; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
