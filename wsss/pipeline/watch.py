"""What the processes of a run do when another of them is gone."""

import os
import sys
import time
from collections.abc import Sequence
from signal import Signals
from subprocess import Popen
from threading import Event, Lock, Thread
from typing import Any, NoReturn

import psutil
import torch
from lightning_fabric import Fabric

from wsss.pipeline.heartbeats import Heartbeats
from wsss.wording import INTERRUPTED

GRACE_S = 5
"""How long to wait after another process has failed: the first may fail likewise and say why."""

BY_CTRL_C = 130
"""Exit status of a process that was interrupted."""

_leaving = Lock()


def watch_children(fabric: Fabric, children: Sequence["Popen[bytes]"], interrupted: Event) -> None:
    """End all processes when one that was started here has failed."""
    for rank, child in enumerate(children, fabric.global_rank + 1):
        _watch(_wait_for_child, rank, child, children, interrupted)


def watch_parent(fabric: Fabric, finished: Event) -> None:
    """End this process when the one that started it is gone before the run has finished."""
    first = fabric.global_rank - fabric.local_rank
    _watch(_wait_for_parent, first, psutil.Process(os.getppid()), finished)


def watch_all(fabric: Fabric, children: Sequence["Popen[bytes]"]) -> Heartbeats | None:
    """End this process when any other, on whatever node, is gone; None where there is no other."""
    if fabric.world_size == 1:
        return None

    def leave(reason: str) -> None:
        time.sleep(GRACE_S)
        if fabric.local_rank:
            time.sleep(1)  # One message of each node is enough.
        if not heartbeats.has_ended:  # With a message of its own: a sweep goes on.
            _leave(_stopped(reason), children)

    store = torch.distributed.distributed_c10d._get_default_store().clone()
    heartbeats = Heartbeats(store, fabric.global_rank, fabric.world_size, leave)
    heartbeats.start()
    return heartbeats


def _watch(target: Any, *arguments: object) -> None:
    Thread(target=target, args=arguments, daemon=True).start()


def _wait_for_child(
    rank: int, child: "Popen[bytes]", children: Sequence["Popen[bytes]"], interrupted: Event
) -> None:
    """End all processes when one that was started here has failed."""
    status = child.wait()
    if status == 0 or interrupted.is_set():
        return
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed by {Signals(-status).name}, by hand or for want of memory"
    else:
        time.sleep(GRACE_S)
    if interrupted.is_set():
        return
    if status == BY_CTRL_C:
        _leave(f"Interrupted. {INTERRUPTED}", children, BY_CTRL_C)
    _leave(_stopped(f"process {rank} of {len(children) + 1} {how}"), children)


def _wait_for_parent(first: int, parent: psutil.Process, finished: Event) -> None:
    """End this process when the one that started it is gone before the run has finished."""
    parent.wait()
    if not finished.is_set():
        _leave(_stopped(f"process {first}, which started the others, was killed"))


def _stopped(reason: str) -> str:
    return f"wsss cannot go on: {reason} (processes count from 0). {INTERRUPTED}"


def _leave(message: str, children: Sequence["Popen[bytes]"] = (), status: int = 1) -> NoReturn:
    """Say why, and end this process and those it started, whatever they are waiting for."""
    with _leaving:
        print(message, file=sys.stderr, flush=True)
        for child in children:
            child.kill()
        os._exit(status)
