"""The number of usable CPU cores."""

import os


def usable_cores() -> int:
    """Cores this process may use; all of the machine's where the system does not tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
