"""Signs of life that the processes of a run give each other, on all nodes."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from torch.distributed.distributed_c10d import Store

INTERVAL_S = 5.0
"""Between two signs of life."""

MISSED = 8
"""Signs that may be missing in a row. They are counted, not timed: a run that was suspended, as by
Ctrl-Z or by a laptop's lid, finds all others where they were.
"""

DONE, FAILED = "done", "failed"
"""The last signs of a process that ends."""


@dataclass(slots=True)
class Heartbeats:
    """A thread that gives the signs of one process and watches those of all others.

    Collective operations notice a process that is gone when they are reached, which in a stage
    without any may be hours later.
    """

    store: Store
    """Of the run, used by this thread alone."""
    rank: int
    world_size: int
    on_loss: Callable[[str], None]
    """Told what happened to another process."""
    interval_s: float = INTERVAL_S
    _ended: Event = field(default_factory=Event)
    _last: dict[int, str] = field(default_factory=dict)
    _missed: dict[int, int] = field(default_factory=dict)

    @property
    def patience_s(self) -> float:
        """How long a process can be gone before it is told."""
        return (MISSED + 2) * self.interval_s

    @property
    def has_ended(self) -> bool:
        """Whether this process has given its last sign."""
        return self._ended.is_set()

    def start(self) -> None:
        """Begin: every process says where it runs, and waits for no other."""
        self.store.set(f"where/{self.rank}", f"{socket.gethostname()}, pid {os.getpid()}")
        self.store.set(f"beat/{self.rank}", "0")
        Thread(target=self._watch, daemon=True).start()

    def end(self, sign: str) -> None:
        """Give the last sign, `DONE` or `FAILED`, and watch no longer."""
        self._ended.set()
        with suppress(RuntimeError):  # Whoever has the store has ended already.
            self.store.clone().set(f"beat/{self.rank}", sign)

    def _watch(self) -> None:
        count = 0
        while not self._ended.wait(self.interval_s):
            count += 1
            try:
                self.store.set(f"beat/{self.rank}", str(count))
                lost = [self._look_at(other) for other in range(self.world_size)]
            except RuntimeError as error:
                lost = [f"the first process is gone, or cannot be reached ({_first_line(error)})"]
            if not self._ended.is_set() and any(lost):
                self.on_loss(", ".join(filter(None, lost)))
                return

    def _look_at(self, other: int) -> str:
        """What happened to another process; empty where it gave a sign or has not begun."""
        key = f"beat/{other}"
        if other == self.rank or not self.store.check([key]):
            return ""
        sign = self.store.get(key).decode()
        if sign == DONE:
            return ""
        if sign == FAILED:
            return f"{self._name(other)} ended with an error"
        self._missed[other] = self._missed.get(other, 0) + 1 if sign == self._last.get(other) else 0
        self._last[other] = sign
        if self._missed[other] < MISSED:
            return ""
        seconds = self._missed[other] * self.interval_s
        return f"{self._name(other)} has given no sign of life for {seconds:.0f} s"

    def _name(self, other: int) -> str:
        where = self.store.get(f"where/{other}").decode()
        return f"process {other} of {self.world_size} (on {where})"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
