"""Commands in processes of their own, and what runs leave on disk."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten

from wsss.artifacts import Manifest
from wsss.stages import CHAIN

PYTHON = (sys.executable,)
MOST_CHARACTERS = 300
GRACE_S = 10.0
"""What a command has to come to its end after it is interrupted."""


_running: "set[subprocess.Popen[bytes]]" = set()


class CommandError(Exception):
    """A command failed, or took too long."""


def run_command(
    words: Sequence[str], log: Path, limit_s: float, passes: Sequence[int] = (0,), **more: str
) -> float:
    """Run a command, and give its seconds.

    Args:
        words: program and arguments.
        log: takes all it says.
        limit_s: seconds after which it is interrupted, and ended with its children if it goes on.
        passes: exit statuses that are no failure.
        more: variables of its environment.

    Raises:
        CommandError: it failed or took longer; with the last of what it said.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with log.open("w") as said:
        said.write(f"$ {shlex.join(words)}\n\n")
        said.flush()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | more,
            start_new_session=True,
        )
        _running.add(process)
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise CommandError(f"stopped after {limit_s:.0f} s; see {log}") from None
        finally:
            end(process)
            _running.discard(process)
    if process.returncode not in passes:
        raise CommandError(f"status {process.returncode}: {last_words(log)} (see {log})")
    return time.monotonic() - start


@contextmanager
def children_ended() -> Iterator[None]:
    """Let Ctrl-C and `kill` end the block's commands, too, which have sessions of their own."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(one) for one in signals]

    def leave(number: int, _: object) -> None:
        for process in tuple(_running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        raise SystemExit(128 + number)

    for one in signals:
        signal.signal(one, leave)
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt a process that still runs; end it and its children where that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError, PermissionError):  # Its session's group: nobody else's.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_words(log: Path) -> str:
    """The last line of what a command said, or its last message, where `wsss` framed one."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.startswith("╭")]
    framed = starts and lines[-1].startswith("╰")
    kept = [line.strip("│ ") for line in (lines[starts[-1] + 1 : -1] if framed else lines[-1:])]
    words = " ".join(" ".join(kept).split())
    return shorten(words, MOST_CHARACTERS, placeholder=" …") or "nothing said"


def run_wsss(words: Sequence[str], work_dir: Path, log: Path, limit_s: float) -> float:
    """Run `wsss run` with settings, and give the command's seconds.

    Raises:
        CommandError: it failed or took longer.
    """
    command = [*PYTHON, "-m", "wsss", "run", *words, f"work_dir={work_dir}"]
    return run_command(command, log, limit_s)


def stage_folders(work_dir: Path) -> dict[str, Path]:
    """The folder of every finished stage, in the chain's order; the newest of several."""
    found = {}
    for stage in CHAIN:
        manifests = (work_dir / stage).glob("*/manifest.json")
        if newest := max(manifests, key=lambda path: path.stat().st_mtime, default=None):
            found[stage] = newest.parent
    return found


def manifests(work_dir: Path) -> dict[str, Manifest]:
    """The record of every finished stage."""
    read = {stage: Manifest.read(folder) for stage, folder in stage_folders(work_dir).items()}
    return {stage: one for stage, one in read.items() if one is not None}


def finished(work_dir: Path, stage: str) -> Path:
    """The folder of a stage.

    Raises:
        CommandError: it has not finished.
    """
    folders = stage_folders(work_dir)
    if stage not in folders:
        raise CommandError(f"no finished stage `{stage}` in {work_dir}: run the part before")
    return folders[stage]
