"""Peak memory of a block of code."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import torch


def _resident_bytes(process: psutil.Process) -> int:
    """Memory of a process: proportional set size where available, else resident set size."""
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))


class PeakMemory:
    """Peak memory in a block: of this process and its children, or of the GPU if larger."""

    megabytes: float = 0.0

    def __init__(self, interval_s: float = 0.5) -> None:
        self._interval_s = interval_s
        self._done = Event()

    def _sample(self) -> None:
        own = psutil.Process()
        while True:
            total = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    total += _resident_bytes(process)
                except psutil.Error:  # The process ended meanwhile.
                    continue
            self.megabytes = max(self.megabytes, total / 2**20)
            if self._done.wait(self._interval_s):
                return

    @contextmanager
    def watch(self) -> Iterator["PeakMemory"]:
        """Sample resident memory in a thread while the block runs."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        thread = Thread(target=self._sample, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._done.set()
            thread.join()
            if torch.cuda.is_available():
                on_gpu = torch.cuda.max_memory_allocated() / 2**20
                self.megabytes = max(self.megabytes, on_gpu)
