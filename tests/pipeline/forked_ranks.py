"""Further processes of a command as forks, where Lightning would start an interpreter for each."""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace

from lightning_fabric.strategies.launchers import subprocess_script

PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36
ENDING = (signal.SIGINT, signal.SIGTERM)


def lend_forks() -> None:
    """Let Lightning's launcher ask a fork of this process, as it is now, for the others.

    Returns in this process, and again in each other one when it has been asked for. They are
    children of this process: it adopts those that the fork in between leaves behind.
    """
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        answer_requests(theirs)
        return
    theirs.close()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    requests = ours.makefile("rw")

    def popen(command: Sequence[str], env: Mapping[str, str], cwd: object = None) -> "Rank":
        requests.write(json.dumps({"words": command[1:], "env": dict(env)}) + "\n")
        requests.flush()
        return Rank(int(requests.readline()))

    subprocess_script.subprocess = SimpleNamespace(Popen=popen)


def answer_requests(theirs: socket.socket) -> None:
    """Start processes until the command ends; each leaves early, to become one of its ranks."""
    requests = theirs.makefile("rw")
    signals = [(number, signal.signal(number, signal.SIG_IGN)) for number in ENDING]
    for line in requests:
        request = json.loads(line)
        told, tell = os.pipe()
        if (between := os.fork()) == 0:
            if (rank := os.fork()) != 0:
                os.write(tell, f"{rank}\n".encode())
                os._exit(0)
            for number, handler in signals:
                signal.signal(number, handler)
            sys.argv = request["words"]
            os.environ.clear()
            os.environ.update(request["env"])
            name = f"rank {os.environ['LOCAL_RANK']}"
            ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
            return
        os.waitpid(between, 0)
        requests.write(os.read(told, 20).decode())
        requests.flush()
    os._exit(0)


class Rank:
    """What `subprocess.Popen` is to those that watch a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
