"""Signals that ask a process to end: SIGTERM, and SLURM's warning before it stops a job."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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

    def end(number: int, _: FrameType | None) -> None:
        raise AskedToEnd(number)

    numbers = [signal.SIGTERM]
    if SLURM_WARNING is not None and "SLURM_JOB_ID" in os.environ:
        numbers.append(SLURM_WARNING)
    before = {number: signal.signal(number, end) for number in numbers}
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
