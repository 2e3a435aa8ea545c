"""What the locks of a work folder exclude on its file system, found out when a run starts.

flock(2): since Linux 2.6.12, NFS clients send it to the server as a lock of the whole file, unless
mounted with `nolock` or `local_lock`; Lustre needs `flock`. Whether another machine is excluded
cannot be tried from this one: the options of the mount tell.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import psutil
from filelock import Timeout

from wsss.errors import Problem, Severity, WsssError
from wsss.files import on_disk
from wsss.stage_tools.locks import LEASE_S, UNSUPPORTED, kernel_lock

LOCAL_OPTIONS = {"nolock", "local_lock=flock", "local_lock=all", "localflock", "noflock"}
"""Options of mounts under which flock does not reach other machines (nfs(5), mount.lustre(8))."""
LEASES = (
    "Nothing, if one machine at a time uses this folder; else leave it to the leases beside the "
    f"stages' folders. One of a machine that was switched off is taken over after {LEASE_S:.0f} s."
)


def lock_problems(folder: Path) -> list[Problem]:
    """What the kernel's locks do not exclude below a folder; leases do the work there.

    Raises:
        WsssError: a file can be created twice there, so that leases exclude nothing either.
    """
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not creates_exclusively(folder):
            raise WsssError(
                Problem(
                    str(folder),
                    "this file system lets two processes create the same file",
                    "one that excludes the second (O_EXCL), as all local ones and NFS from "
                    "version 3 on do",
                    "Choose a folder elsewhere: `work_dir=…`. Two runs would compute the same "
                    "stage at once here, and remove each other's files.",
                )
            )
        return [*_found(folder)]


def _found(folder: Path) -> Iterator[Problem]:
    where, expected = str(folder), "locks that hold off every other run"
    if (excludes := flock_excludes(folder)) is None:
        came = "this file system has no flock"
        yield Problem(where, came, expected, LEASES, Severity.WARNING)
    elif not excludes:
        came = "flock excludes nobody on this file system, and does not say so"
        yield Problem(where, came, expected, LEASES, Severity.WARNING)
    elif options := options_of_mount(folder) & LOCAL_OPTIONS:
        came = f"mounted with {', '.join(sorted(options))}: flock reaches this machine only"
        yield Problem(where, came, expected, LEASES, Severity.WARNING)


def flock_excludes(folder: Path) -> bool | None:
    """Whether flock excludes a second open file, as it would another process; None: no flock."""
    path = _probe(folder)
    try:
        with kernel_lock(path), kernel_lock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return None
    finally:
        path.unlink(missing_ok=True)


def creates_exclusively(folder: Path) -> bool:
    """Whether a file that is there cannot be created once more."""
    path = _probe(folder)
    try:
        for _ in range(2):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return True
    finally:
        path.unlink(missing_ok=True)
    return False


def options_of_mount(folder: Path) -> set[str]:
    """Options of the mount that a folder is on; empty where the system does not tell."""
    folder = folder.resolve()
    with suppress(OSError, RuntimeError):
        mounts = [
            (len(Path(one.mountpoint).parts), one.opts.split(","))
            for one in psutil.disk_partitions(all=True)
            if folder.is_relative_to(one.mountpoint)
        ]
        return {*max(mounts, default=(0, []))[1]}
    return set()


def _probe(folder: Path) -> Path:
    """A file name that no other process chooses."""
    return folder / f".lock_probe.{token_hex(8)}"
