"""A work folder in which a run is going on is left alone."""

import os
import time

import pytest
from filelock import FileLock

from wsss.errors import WsssError
from wsss.pipeline import data_check
from wsss.runs.catalogue import catalogue
from wsss.runs.going_on import check_idle
from wsss.stages import DATA_CHECK

HOUR_S = 3600
ELSEWHERE = "filelock/2\npid=1\nhost=elsewhere\nmode=lease\ntoken=0f\nduration=120.0\n"
"""What a process of another machine writes into its lease."""


@pytest.fixture
def work_dir(tmp_path, write_stage):
    write_stage(tmp_path, ("classify", "c1"), {})
    write_stage(tmp_path, ("segment", "u1"))
    return tmp_path


def refused(work_dir, why, now_s=None):
    with pytest.raises(WsssError, match=why) as caught:
        check_idle(catalogue(work_dir), now_s or time.time())
    return str(caught.value)


def idle(work_dir, now_s=None):
    check_idle(catalogue(work_dir), now_s or time.time())


def test_a_stage_that_is_computed_or_has_just_finished(work_dir, long_ago_s):
    idle(work_dir)
    with FileLock(work_dir / "segment" / "u1.lock"):
        assert catalogue(work_dir).folders["segment", "u1"].state == "running"
        refused(work_dir, "a run is computing this stage")
    idle(work_dir)
    refused(work_dir, "has just finished", long_ago_s + 10)


def test_images_that_are_checked_for_hours(work_dir, monkeypatch):
    """By `inspect` itself, in the middle of which is asked."""
    asked = []

    def in_the_middle(*_):
        asked.append(refused(work_dir, "a run is checking its images", time.time() + HOUR_S))
        raise KeyboardInterrupt

    monkeypatch.setattr(data_check, "_inspect", in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        data_check.inspect(None, work_dir / DATA_CHECK / "0a1b", 0)
    assert str(work_dir / DATA_CHECK / "0a1b") in asked[0]
    idle(work_dir)


def test_a_check_that_has_just_finished(work_dir):
    (work_dir / DATA_CHECK / "0a1b").mkdir(parents=True)
    refused(work_dir, "its run may go on")
    idle(work_dir, time.time() + HOUR_S)


@pytest.mark.parametrize(
    ("status", "ago_s", "busy"),
    [("unfinished", 10, True), ("unfinished", 100, False), ("finished", 10, False)],
)
def test_a_run_that_has_just_begun(work_dir, write_record, status, ago_s, busy):
    """All of its first stages may be cached, which locks nothing."""
    path = write_record(work_dir / "logs" / "2026", work_dir=work_dir, status=status)
    os.utime(path, (time.time() - ago_s,) * 2)
    if busy:
        refused(work_dir, "has just begun")
    else:
        idle(work_dir)


def test_a_lease_of_a_machine_that_is_gone_is_named(work_dir):
    lease = work_dir / "segment" / "u1.lease"
    lease.write_text(ELSEWHERE, encoding="utf-8")
    assert str(lease) not in refused(work_dir, "a run is computing this stage")
    an_hour_ago = time.time() - HOUR_S
    os.utime(lease, (an_hour_ago, an_hour_ago))
    said = refused(work_dir, "a run is computing this stage")
    assert f"not heard of for 60 minutes. If its machine is gone, remove {lease}." in said
    lease.unlink()
    idle(work_dir)
