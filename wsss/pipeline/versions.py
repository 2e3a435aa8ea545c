"""Where a result came from and what it cost: versions, commit, memory."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread

import psutil

PACKAGES = (
    "wsss",
    "torch",
    "pytorch-lightning",
    "timm",
    "segmentation-models-pytorch",
    "albumentations",
    "numpy",
)


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in PACKAGES}


def commit() -> str:
    """The commit of the checkout the code runs from, marked `+` if changed; empty elsewhere."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _resident_bytes(process: psutil.Process) -> int:
    """Memory of a process; pages that it shares with others count in part, where that is known."""
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))


class PeakMemory:
    """The highest memory seen in a block: this process and its children, or the GPU's if larger."""

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
                except psutil.Error:  # It ended between being listed and being asked.
                    continue
            self.megabytes = max(self.megabytes, total / 2**20)
            if self._done.wait(self._interval_s):
                return

    @contextmanager
    def watch(self) -> Iterator["PeakMemory"]:
        """Sample resident memory in a thread while the block runs."""
        import torch

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
