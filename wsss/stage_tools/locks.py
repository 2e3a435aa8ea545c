"""Locks on the folders of stages, which runs on several machines may share.

Two locks are held at once. The kernel's (flock) excludes exactly, and is free as soon as its holder
is gone; but on a network file system it may reach this machine alone, or nothing (see
`lock_reach.py`). A lease is a file that is created exclusively, which network file systems do
exclude (open(2): O_EXCL, NFSv3 and later), and that its holder touches again and again: one that
nobody has touched for `LEASE_S` seconds of a waiting run's own clock is taken over, one of a dead
process of this machine at once.
"""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from errno import EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLease, Timeout

from wsss.files import READ_ONLY, REFUSED

log = logging.getLogger(__name__)

LOCK, LEASE = ".lock", ".lease"
"""Endings of the files beside what is locked."""
LEASE_S = 120.0
"""Twice as long as an NFS client may believe what it knows of a file (nfs(5): acregmax)."""
TOUCHED_EVERY_S = 20.0
POLLED_EVERY_S = 0.25
"""The kernel's lock."""
LEASE_POLLED_EVERY_S = 1.0
UNSUPPORTED = {EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP}
"""Errors of flock on file systems that have none."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the locks of a stage's folder in the block, once no other run holds them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path, lease_path = folder.with_suffix(LOCK), folder.with_suffix(LEASE)
    with ExitStack() as held:
        with suppress_unsupported():
            lock = kernel_lock(path)
            _wait(lock, folder, lambda: _written_holder(path))
            held.callback(lock.release)
        lease = lease_on(lease_path, folder)
        _wait(lease, folder, lambda: _lease_holder(lease))
        held.callback(lease.release)
        yield


def kernel_lock(path: Path) -> BaseFileLock:
    """The kernel's lock of a file, which its holder writes its name into."""
    return FileLock(
        path, poll_interval=POLLED_EVERY_S, fallback_to_soft=False, on_acquired=_write_holder
    )


def lease_on(path: Path, folder: Path) -> SoftFileLease:
    """The lease of a stage's folder."""
    return SoftFileLease(
        path,
        lease_duration=LEASE_S,
        heartbeat_interval=TOUCHED_EVERY_S,
        poll_interval=LEASE_POLLED_EVERY_S,
        on_compromise=lambda _: log.warning(
            "%s: this run was not heard of for %.0f s, or its lease was removed. Another one may "
            "compute the same; both write the same files, each of them whole", folder, LEASE_S,
        ),
    )  # fmt: skip


@contextmanager
def suppress_unsupported() -> Iterator[None]:
    """Leave the block where the file system has no flock."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _wait(lock: BaseFileLock, folder: Path, holder: Callable[[], str]) -> None:
    """Acquire a lock; one that is held is told with its holder."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another run that is computing %s: %s", folder, holder())
        lock.acquire()


@contextmanager
def if_free(folder: Path) -> Iterator[bool]:
    """Hold the locks of a stage's folder in the block, and tell whether no run holds them."""
    free = True
    with ExitStack() as held:
        try:
            with suppress_unsupported():
                lock = kernel_lock(folder.with_suffix(LOCK))
                lock.acquire(timeout=0)
                held.callback(lock.release)
            lease = lease_on(folder.with_suffix(LEASE), folder)
            lease.acquire(timeout=0)
            held.callback(lease.release)
        except Timeout:
            free = False
        yield free


def is_locked(folder: Path) -> bool:
    """Whether a run holds the locks of a stage's folder; none is made to find out.

    Where this user may not write, a lease tells, which is gone with its run.
    """
    if not any(folder.with_suffix(end).exists() for end in (LOCK, LEASE)):
        return False
    try:
        with if_free(folder) as free:
            return not free
    except OSError as error:
        if error.errno not in {*READ_ONLY, *REFUSED}:
            raise
        return folder.with_suffix(LEASE).exists()


def _write_holder(descriptor: int) -> None:
    """Write who holds the kernel's lock into its file."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{json.dumps(holder)}\n".encode(), 0)


def _written_holder(path: Path) -> str:
    """Who holds the kernel's lock."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    return "its process is not known"


def _lease_holder(lease: SoftFileLease) -> str:
    """Who holds a lease that the kernel's lock has not shown."""
    if (owner := lease.owner) is None:
        return "its process is not known"
    return (
        f"process {owner.pid} on {owner.hostname}, which flock does not exclude; its lease is "
        f"taken over when it was not renewed for {LEASE_S:.0f} s"
    )
