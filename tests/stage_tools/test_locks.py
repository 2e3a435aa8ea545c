"""Locks of stages: between processes, where flock does nothing, and of holders that were killed."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from wsss.errors import WsssError
from wsss.stage_tools import lock_reach, locks
from wsss.stage_tools.lock_reach import lock_problems
from wsss.stage_tools.locks import locked

HOLD = """
import fcntl, sys, time
from pathlib import Path
if "no flock" in sys.argv[2:]:
    fcntl.flock = lambda *_: None
from wsss.stage_tools.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
"""A process that holds the locks of a folder until it is killed."""
ELSEWHERE = "filelock/2\npid=1\nhost=elsewhere\nmode=lease\ntoken=0f\nduration=1.0\n"
"""What a process of another machine writes into its lease."""


@pytest.fixture
def hold():
    started = []

    def hold(folder, *words):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), *words], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def no_flock(monkeypatch):
    """A file system on which flock succeeds, and does nothing."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)


@pytest.fixture
def short_leases(monkeypatch):
    monkeypatch.setattr(locks, "LEASE_S", 1.0)
    monkeypatch.setattr(locks, "TOUCHED_EVERY_S", 0.2)
    monkeypatch.setattr(locks, "LEASE_POLLED_EVERY_S", 0.1)


def in_time(folder, seconds):
    """Take the locks of a folder, and give how long it took."""
    start = time.monotonic()
    with locked(folder):
        waited = time.monotonic() - start
    assert waited < seconds
    return waited


@pytest.mark.parametrize("words", [(), ("no flock",)], ids=["flock", "lease"])
def test_a_holder_excludes_is_named_and_is_taken_over_when_killed(
    hold, tmp_path, monkeypatch, words
):
    if words:
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    folder = tmp_path / "classify" / "0a1b"
    holder = hold(folder, *words)
    asked = []

    def killed_when_waited_for(message, *arguments):
        asked.append(message % arguments)
        holder.kill()
        holder.wait()  # While it is a zombie, only its lease is in the way, for `LEASE_S`.

    monkeypatch.setattr(locks.log, "info", killed_when_waited_for)
    in_time(folder, 10)
    (said,) = asked
    assert f"{folder}: process {holder.pid} on {socket.gethostname()}" in said
    assert ("since 20" in said) == (not words)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_whether_a_folder_of_another_user_is_locked_is_told_by_its_lease(
    tmp_path, monkeypatch, code
):
    def refused(*_, **__):
        raise OSError(code, os.strerror(code))

    in_time(tmp_path / "0a1b", 1)
    monkeypatch.setattr(locks, "kernel_lock", refused)
    assert not locks.is_locked(tmp_path / "0a1b")
    (tmp_path / "0a1b.lease").write_text(ELSEWHERE)
    assert locks.is_locked(tmp_path / "0a1b")


def test_a_lock_that_is_free_leaves_no_lease(tmp_path):
    folder = tmp_path / "classify" / "0a1b"
    in_time(folder, 1)
    assert [path.name for path in folder.parent.iterdir()] == ["0a1b.lock"]
    written = json.loads((folder.parent / "0a1b.lock").read_text())
    assert written["pid"] == os.getpid()


@pytest.mark.usefixtures("no_flock", "short_leases")
def test_a_lease_of_another_machine_is_taken_over_when_nobody_renews_it(tmp_path):
    lease = tmp_path / "0a1b.lease"
    lease.write_text(ELSEWHERE)
    assert in_time(tmp_path / "0a1b", 10) > 1.0
    assert not lease.exists()


@pytest.mark.usefixtures("no_flock", "short_leases")
def test_a_lease_of_another_machine_that_is_renewed_is_waited_for(tmp_path):
    lease = tmp_path / "0a1b.lease"
    renewed = "import os,sys,time\nfor _ in range(15): os.utime(sys.argv[1]); time.sleep(0.2)"
    lease.write_text(ELSEWHERE)
    with subprocess.Popen([sys.executable, "-c", renewed, str(lease)]):
        assert in_time(tmp_path / "0a1b", 20) > 3.0


@pytest.mark.parametrize("code", sorted(locks.UNSUPPORTED))
def test_without_flock_leases_are_enough(tmp_path, monkeypatch, code):
    def refused(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refused)
    in_time(tmp_path / "0a1b", 1)
    (problem,) = lock_problems(tmp_path)
    assert problem.came == "this file system has no flock"


def test_locks_of_a_local_folder_exclude(tmp_path):
    assert lock_problems(tmp_path / "runs") == []
    assert [*(tmp_path / "runs").iterdir()] == []


@pytest.mark.usefixtures("no_flock")
def test_a_lock_that_does_not_exclude_is_found_out(tmp_path):
    (problem,) = lock_problems(tmp_path)
    assert "flock excludes nobody" in problem.came
    assert "leases" in problem.remedy


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("rw,vers=3,nolock,local_lock=all", ["local_lock=all", "nolock"]),
        ("rw,vers=4.2,local_lock=none", []),
        ("rw,localflock", ["localflock"]),
    ],
)
def test_a_mount_whose_locks_stay_on_this_machine_is_told(tmp_path, monkeypatch, options, told):
    mounts = [
        SimpleNamespace(mountpoint="/", opts="rw,relatime"),
        SimpleNamespace(mountpoint=str(tmp_path), opts=options),
    ]
    monkeypatch.setattr(lock_reach.psutil, "disk_partitions", lambda **_: mounts)
    found = [problem.came for problem in lock_problems(tmp_path)]
    assert len(found) == bool(told)
    assert all(", ".join(told) in came for came in found)


def test_a_folder_where_files_are_created_twice_is_refused(tmp_path, monkeypatch):
    create = os.open
    monkeypatch.setattr(lock_reach.os, "open", lambda path, how: create(path, how & ~os.O_EXCL))
    with pytest.raises(WsssError, match=r"two processes create the same file.*work_dir"):
        lock_problems(tmp_path)
