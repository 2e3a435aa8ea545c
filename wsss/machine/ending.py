"""Signals that ask a process to end: SIGTERM, and SLURM's warning before it stops a job."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from wsss.wording import INTERRUPTED

log = logging.getLogger(__name__)

SLURM_WARNING = getattr(signal, "SIGUSR1", None)
"""What `#SBATCH --signal=USR1@120` sends two minutes before the end; None on Windows."""


class AskedToEnd(SystemExit):
    """Ends the process as Ctrl-C does, with the status of a process that the signal has ended."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@contextmanager
def ending_when_asked(is_first: bool = True) -> Iterator[None]:
    """In the block, raise `AskedToEnd` when the process is asked to end, and say so.

    Under SLURM the warning before the end of a job also puts the job back into the queue.

    Args:
        is_first: whether the process is the first of the run, which speaks and requeues for all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python calls handlers in the main thread alone.
        return

    numbers = [signal.SIGTERM]
    if SLURM_WARNING is not None and "SLURM_JOB_ID" in os.environ:
        numbers.append(SLURM_WARNING)
    before = {number: signal.signal(number, _end) for number in numbers}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _end)
    try:
        yield
    except AskedToEnd as asked:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # It is ending: the next one is no news.
        if is_first:
            warned = asked.code != 128 + signal.SIGTERM
            log.warning("%s %s", _requeued() if warned else "Terminated.", INTERRUPTED)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_held() -> Iterator[None]:
    """Let the block end before an `AskedToEnd`, or the KeyboardInterrupt of Ctrl-C, is raised.

    For files that are being written: libraries that close them behind an exception raise others of
    their own, which then stand for an error of the file. Asked twice, a process ends at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _held.blocks += 1
    try:
        yield
    finally:
        _held.blocks -= 1
        if not _held.blocks and (number := _held.asked) is not None:
            _held.asked = None
            _raise(number)


@dataclass(slots=True)
class _Held:
    """What the main thread's blocks of `ending_held` know."""

    blocks: int = 0
    asked: int | None = None
    """The signal that came in one."""


_held = _Held()


def _end(number: int, _: FrameType | None) -> None:
    """End now, or behind the blocks that hold the end."""
    if _held.blocks and _held.asked is None:
        _held.asked = number
        return
    _held.asked = None
    _raise(number)


def _raise(number: int) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else AskedToEnd(number)


def _requeued() -> str:
    """Put the SLURM job into the queue again, and say how that went."""
    job = os.environ["SLURM_JOB_ID"]
    if (array := os.environ.get("SLURM_ARRAY_JOB_ID")) is not None:
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["scontrol", "requeue", job]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        return f"SLURM ends job {job} soon, and `{' '.join(command)}` failed: {reason.strip()}."
    return f"SLURM ends job {job} soon: it is in the queue again."
