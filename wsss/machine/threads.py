"""Torch's own threads on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute the block in this thread alone.

    Operations on some thousand numbers take less time than their threads need to meet, above all
    beside other work. Sums of one thread do not depend on the number of cores, either.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
