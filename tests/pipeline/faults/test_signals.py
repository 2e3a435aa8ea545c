"""Signals: `kill`, `kill -9`, and SLURM's warning before it stops a job."""

import os
import signal
import time

import pytest

MOMENTS = {
    "classify": "checkpoints/epoch=*.ckpt",
    "localize": "seeds/*.npz",
    "affinity": "labels/*.png",
    "propagate": "seeds/*.npz",
    "refine": "masks/*.png",
    "segment": "checkpoints/epoch=0000.ckpt",
    "evaluate": "counts/*/*.npz",
}
"""What a stage has written when the signal comes: the first of it."""


def wait_for(process, work_dir, pattern):
    """Wait until there is such a file, and the process with it."""
    deadline = time.monotonic() + 120
    while not [*work_dir.glob(pattern)]:
        assert process.poll() is None, process.output.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGSTOP)  # It would be over before the signal is there.


def send(process, number):
    os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)


@pytest.mark.minutes
@pytest.mark.parametrize("stage", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_any_stage(
    start, whole, copied, of_affinity, kept, told_once, said, results, tmp_path, stage, number
):
    copied(whole, tmp_path, until=stage)
    before = kept(tmp_path)
    words = [*of_affinity, f"stages=[{stage}]"]
    process = start(tmp_path, *words)
    wait_for(process, tmp_path, f"{stage}/*/{MOMENTS[stage]}")
    send(process, number)
    if number == signal.SIGTERM:
        told_once(process, "Terminated.", status=143)
    else:
        assert process.wait() == -9
    assert not [*tmp_path.glob(f"{stage}/*/manifest.json")]
    assert kept(tmp_path) == before
    again = start(tmp_path, *words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(tmp_path, stage) == results(whole, stage)
    assert not [*tmp_path.rglob("*tmp~*")]


@pytest.fixture(scope="session")
def probed(start, finished, tiny_methods, copied, tmp_path_factory):
    """The work folder of a run with a probe that nobody disturbs."""
    work_dir = tmp_path_factory.mktemp("probed")
    copied(finished["classify"].folder.parents[1], work_dir, until="affinity")
    process = start(work_dir, *tiny_methods["probe"], "stages=[probe]")
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    return work_dir


@pytest.mark.minutes
@pytest.mark.parametrize(
    "moment", ["labels/*.png", "cells/*.npz", "checkpoints/epoch=0000.ckpt", "seeds/*.npz"]
)
def test_kill_9_in_any_part_of_the_probe(
    start, probed, tiny_methods, copied, kept, results, tmp_path, moment
):
    copied(probed, tmp_path, until="affinity")
    before = kept(tmp_path)
    words = (*tiny_methods["probe"], "stages=[probe]")
    process = start(tmp_path, *words)
    wait_for(process, tmp_path, f"probe/*/{moment}")
    send(process, signal.SIGKILL)
    assert process.wait() == -9
    assert not [*tmp_path.glob("probe/*/manifest.json")]
    assert kept(tmp_path) == before
    again = start(tmp_path, *words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(tmp_path, "probe") == results(probed, "probe")
    assert not [*tmp_path.rglob("*tmp~*")]


@pytest.fixture
def slurm(tmp_path):
    """The variables of a task of a SLURM job, `slurm(rank, tasks)`, as Lightning's tests set them.

    Its `scontrol` notes what it is asked.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("srun", "scontrol"):
        (programs / name).write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.txt\n')
        (programs / name).chmod(0o755)

    def variables(rank=0, tasks=1):
        return {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NAME": "wsss",
            "SLURM_NODELIST": "127.0.0.1",
            "SLURM_NNODES": "1",
            "SLURM_NTASKS": str(tasks),
            "SLURM_NTASKS_PER_NODE": str(tasks),
            "SLURM_STEP_NUM_TASKS": str(tasks),
            "SLURM_PROCID": str(rank),
            "SLURM_LOCALID": str(rank),
            "SLURM_NODEID": "0",
        }

    return variables


QUEUED = "SLURM ends job 4711 soon: it is in the queue again."


@pytest.mark.minutes
def test_slurms_warning_puts_a_job_into_the_queue_again(
    start_anew, start, slurm, finished, kept, told_once, results, tmp_path
):
    work_dir = tmp_path / "runs"
    process = start_anew(work_dir, "stages=[classify,localize]", **slurm())
    wait_for(process, work_dir, "localize/*/seeds/*.npz")
    before = kept(work_dir)
    send(process, signal.SIGUSR1)
    told_once(process, QUEUED, status=128 + signal.SIGUSR1)
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"
    assert [path.parts[-3] for path in before if path.name == "manifest.json"] == ["classify"]
    assert kept(work_dir) == before
    # SLURM starts the same command again.
    again = start(work_dir, "stages=[classify,localize]")
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    expected = results(finished["classify"].folder.parents[1], "classify", "localize")
    assert results(work_dir) == {name: expected[name] for name in results(work_dir)}


@pytest.mark.minutes
def test_all_tasks_of_a_job_end_with_one_message(start_anew, slurm, said, results, tmp_path):
    """Two tasks, which SLURM warns at once; the requeued job ends as one that was never warned."""
    words = [
        "trainer=slurm",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.deterministic=true",
    ]
    words += ["classify.batch_size=4", "stages=[classify,localize,refine,segment]"]

    def job(work_dir, port):
        return [
            start_anew(work_dir, *words, **slurm(rank, 2), MASTER_PORT=str(port))
            for rank in range(2)
        ]

    first, second = job(tmp_path / "warned", 29511)
    deadline = time.monotonic() + 120
    while not [*tmp_path.glob("warned/segment/*/checkpoints/epoch=0000.ckpt")]:
        assert first.poll() is None, said(first)
        assert time.monotonic() < deadline
        time.sleep(0.001)
    for task in (first, second):
        task.send_signal(signal.SIGUSR1)
    statuses = [task.wait(60) for task in (first, second)]
    text = said(first) + said(second)
    assert statuses == [128 + signal.SIGUSR1] * 2, text
    assert text.count(said(QUEUED)) == 1
    assert "Traceback" not in text
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"
    for work_dir, port in ((tmp_path / "warned", 29512), (tmp_path / "left alone", 29513)):
        assert [task.wait(300) for task in job(work_dir, port)] == [0, 0]
    assert results(tmp_path / "warned") == results(tmp_path / "left alone")
    assert len({name.split("/")[0] for name in results(tmp_path / "warned")}) == 4
