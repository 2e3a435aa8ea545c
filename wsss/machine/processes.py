"""Spawned child processes, safe in scripts and notebooks."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_start_method, set_start_method
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802
        with _without_interrupts(), _without_main(), _own_start_method():
            return SpawnProcess._Popen(process_obj)


class Spawn(SpawnContext):
    """Starts processes that do not import the user's script and ignore Ctrl-C.

    By default Python imports the main script in every process, which starts the run again unless it
    is guarded by `if __name__ == "__main__"`. Objects sent to these processes must be importable,
    and not be defined in the script.
    """

    Process = _Process


def loader_context(workers: int) -> Spawn | None:
    """The context in which a torch loader starts `workers` processes; None for torch's default.

    Forking, the default on Linux, is fast and imports no script.
    """
    return Spawn() if workers and get_start_method() != "fork" else None


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main script from processes started in the block."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _own_start_method() -> Iterator[None]:
    """Hide a start method that only another library knows, such as joblib's `loky`, in the block.

    A started process is told it and sets it before anything could import that library.
    """
    before = get_start_method(allow_none=True)
    if before is None or before in get_all_start_methods():
        yield
        return
    set_start_method("spawn", force=True)
    try:
        yield
    finally:
        set_start_method(before, force=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C for processes started in the block, which inherit the signal mask.

    For this process it is delayed meanwhile. Windows cannot block signals.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
