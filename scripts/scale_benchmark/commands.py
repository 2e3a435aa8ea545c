"""Commands whose CPU time and memory are measured, with all their processes."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, Popen
from threading import Event, Thread

import psutil
from benchmark_predict import memory_mb

WSSS = (sys.executable, "-m", "wsss")
INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Spent:
    """What a command took."""

    wall_s: float
    cpu_s: float
    """Of all processes: what counts on a machine that others use, too."""
    peak_mb: float
    """Memory of all processes at once, shared pages shared out."""


def measured(words: Sequence[str]) -> Spent:
    """Run `wsss` with some words, on one of torch's threads."""
    start = time.monotonic()
    with Popen(
        [*WSSS, *words], stdout=DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        root, done, peaks = psutil.Process(process.pid), Event(), [0.0]

        def sample() -> None:
            while not done.wait(INTERVAL_S):
                peaks.append(memory_mb(root)[1])

        thread = Thread(target=sample, daemon=True)
        thread.start()
        _, status, usage = os.wait4(process.pid, 0)
        done.set()
        thread.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"wsss {' '.join(words)} ended with {process.returncode}")
    seconds = time.monotonic() - start
    return Spent(round(seconds, 2), round(usage.ru_utime + usage.ru_stime, 2), round(max(peaks)))
