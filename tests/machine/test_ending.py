"""Signals that ask a process to end, on this machine and by SLURM."""

import os
import signal
import threading

import numpy as np
import pytest

from wsss.artifacts import atomic
from wsss.machine.ending import AskedToEnd, ending_held, ending_when_asked

KEPT = "Finished stages, images and epochs are kept; the same command goes on from there."


@pytest.fixture
def slurm(monkeypatch, tmp_path):
    """A job of SLURM whose `scontrol` notes how it was called; `status` is what it ends with."""
    called = tmp_path / "called.txt"

    def job(status=0, **names):
        program = tmp_path / "scontrol"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> {called}\necho not allowed >&2\nexit {status}\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        for name, value in {"SLURM_JOB_ID": "42", **names}.items():
            monkeypatch.setenv(name, value)
        return called

    return job


def asked(number, is_first=True):
    with pytest.raises(AskedToEnd) as left, ending_when_asked(is_first):
        signal.raise_signal(number)
    return left.value.code


def test_a_termination_is_told_once_with_the_status_of_the_signal(caplog):
    before = signal.getsignal(signal.SIGTERM)
    assert asked(signal.SIGTERM) == 143
    assert caplog.messages == [f"Terminated. {KEPT}"]
    assert asked(signal.SIGTERM, is_first=False) == 143
    assert len(caplog.messages) == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("names", "job"),
    [({}, "42"), ({"SLURM_ARRAY_JOB_ID": "40", "SLURM_ARRAY_TASK_ID": "3"}, "40_3")],
)
def test_slurms_warning_puts_the_job_into_the_queue_again(slurm, caplog, names, job):
    called = slurm(**names)
    assert asked(signal.SIGUSR1) == 128 + signal.SIGUSR1
    assert called.read_text() == f"requeue {job}\n"
    assert caplog.messages == [f"SLURM ends job {job} soon: it is in the queue again. {KEPT}"]


def test_other_processes_of_a_job_leave_the_queue_to_the_first(slurm):
    called = slurm()
    assert asked(signal.SIGUSR1, is_first=False) == 128 + signal.SIGUSR1
    assert not called.exists()


def test_a_job_that_cannot_be_requeued_says_why(slurm, caplog):
    slurm(status=1)
    asked(signal.SIGUSR1)
    (said,) = caplog.messages
    assert "`scontrol requeue 42` failed: not allowed." in said


def test_without_slurm_its_signal_is_left_alone():
    before = signal.getsignal(signal.SIGUSR1)
    with ending_when_asked():
        assert signal.getsignal(signal.SIGUSR1) is before


def test_other_threads_change_no_handler():
    found = []

    def work():
        with ending_when_asked():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize(
    ("number", "end"), [(signal.SIGTERM, AskedToEnd), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_block_that_holds_the_end_comes_to_its_own_first(number, end):
    steps = []

    def blocks():
        with ending_held():
            with ending_held():
                signal.raise_signal(number)
                steps.append("inner")
            steps.append("outer")
        steps.append("behind")

    with pytest.raises(end), ending_when_asked():
        blocks()
    assert steps == ["inner", "outer"]
    with ending_held():  # Nothing is left of it.
        pass


def test_asked_twice_it_ends_at_once():
    steps = []

    def block():
        with ending_held():
            for step in range(3):
                signal.raise_signal(signal.SIGTERM)
                steps.append(step)

    with pytest.raises(AskedToEnd), ending_when_asked():
        block()
    assert steps == [0]


def test_an_archive_that_is_being_written_is_completed(tmp_path):
    """Closed behind an exception, Python's archives raise another one, also when they are freed."""

    class Asks:
        def __array__(self, *_, **__):
            signal.raise_signal(signal.SIGTERM)
            return np.arange(3)

    path = tmp_path / "a.npz"
    asked = pytest.raises(AskedToEnd)
    with asked, ending_when_asked(), atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, numbers=Asks())
    with np.load(path) as content:
        assert content["numbers"].tolist() == [0, 1, 2]
