"""Processes that this one starts: spawned, whatever script or notebook it runs."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_start_method
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802
        with _without_interrupts(), _without_main():
            return SpawnProcess._Popen(process_obj)


class Spawn(SpawnContext):
    """Starts processes that do not run the user's script again, and leave Ctrl-C to this one.

    Python's own way imports the script anew in every process, which starts the run once more where
    it is not guarded by `if __name__ == "__main__"`. What is sent to such a process must be
    importable, and so not be defined in the script itself.
    """

    Process = _Process


def loader_context(workers: int) -> Spawn | None:
    """How a torch loader with `workers` processes starts them; None: torch's own way.

    Forking, the default on Linux, takes no time and runs no script.
    """
    return Spawn() if workers and get_start_method() != "fork" else None


@contextmanager
def _without_main() -> Iterator[None]:
    """Let a process that starts in the block find no script to import."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C for processes that start in the block: they inherit what is blocked.

    One that comes to this process meanwhile waits. Windows cannot block signals.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
