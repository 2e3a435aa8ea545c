"""Memory and GPU time that a block of code uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import torch


class Usage:
    """Peak memory and the GPU's utilisation in a block, sampled by a thread."""

    peak_memory_mb: float = 0.0
    """Resident memory of this process and its children."""
    peak_gpu_memory_mb: float = 0.0
    """Memory of torch's tensors on the GPU; 0 without one."""
    gpu_utilisation: float | None = None
    """Mean share of time, in [0, 1], in which the GPU computes, whoever it computes for; None
    without one, or where its driver does not tell."""

    def __init__(self, device: torch.device, interval_s: float = 0.5) -> None:
        """Watch this process and, where `device` is a GPU of NVIDIA, that GPU."""
        self._gpu = device if device.type == "cuda" else None
        self._interval_s = interval_s
        self._done = Event()
        self._percents: list[int] = []

    @contextmanager
    def watch(self) -> Iterator["Usage"]:
        """Sample while the block runs."""
        if self._gpu is not None:
            torch.cuda.reset_peak_memory_stats(self._gpu)
        thread = Thread(target=self._sample, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._done.set()
            thread.join()
            if self._gpu is not None:
                self.peak_gpu_memory_mb = torch.cuda.max_memory_allocated(self._gpu) / 2**20
            if self._percents:
                self.gpu_utilisation = sum(self._percents) / len(self._percents) / 100

    def _sample(self) -> None:
        own = psutil.Process()
        while True:
            total = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    total += _resident_bytes(process)
                except psutil.Error:  # The process ended meanwhile.
                    continue
            self.peak_memory_mb = max(self.peak_memory_mb, total / 2**20)
            if self._gpu is not None and (percent := utilisation_percent(self._gpu)) is not None:
                self._percents.append(percent)
            if self._done.wait(self._interval_s):
                return


def utilisation_percent(gpu: torch.device) -> int | None:
    """Share of the last second or so in which a GPU computed; None where its driver is silent."""
    try:
        return int(torch.cuda.utilization(gpu))
    # The library that asks the driver has errors of its own, which cannot be named without it.
    except Exception:
        return None


def _resident_bytes(process: psutil.Process) -> int:
    """Memory of a process: proportional set size where available, else resident set size."""
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))
