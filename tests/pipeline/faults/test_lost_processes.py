"""Processes that die beside the command: those of loaders, and other ranks."""

import os
import signal
import time

import psutil
import pytest

KILLED = "was killed, by hand or for want of memory"


@pytest.mark.minutes
@pytest.mark.parametrize(
    "stage", ["classify", "localize", "affinity", "propagate", "segment", "evaluate"]
)
def test_a_loader_process_killed_in_any_stage(
    start, whole, copied, of_affinity, kept, loader_of, told_once, results, tmp_path, stage
):
    copied(whole, tmp_path, until=stage)
    before = kept(tmp_path)
    words = [*of_affinity, f"stages=[{stage}]", "workers=1"]
    process = start(tmp_path, *words)
    loader = loader_of(process)
    loader.kill()
    os.kill(process.pid, signal.SIGCONT)
    told_once(process, f"{stage} the loader process {loader.pid} {KILLED}", "fewer `workers`")
    assert kept(tmp_path) == before
    again = start(tmp_path, *words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(tmp_path, stage) == results(whole, stage)


@pytest.mark.minutes
def test_a_loader_process_killed_in_a_training(
    start, finished, copied, loader_of, told_once, kept, results, tmp_path
):
    """In the middle of it; the run goes on from the last epoch, to the same bytes."""
    for name in ("killed", "left alone"):
        copied(finished["classify"].folder.parents[1], tmp_path / name, until="segment")
    words = ["stages=[segment]", "segment.max_epochs=20", "workers=1"]
    work_dir = tmp_path / "killed"
    before = kept(work_dir)
    process = start(work_dir, *words)
    loader = loader_of(process)
    os.kill(process.pid, signal.SIGCONT)
    while not [*work_dir.glob("segment/*/checkpoints/epoch=0001.ckpt")]:
        assert process.poll() is None, process.output.read_text(encoding="utf-8")
        time.sleep(0.001)
    loader.kill()
    told_once(process, f"segment the loader process {loader.pid} {KILLED}")
    assert kept(work_dir) == before
    for name in ("killed", "left alone"):
        again = start(tmp_path / name, *words)
        assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(work_dir) == results(tmp_path / "left alone")


@pytest.mark.minutes
def test_a_lost_rank_is_named(start, second_of, finished, copied, said, kept, results, tmp_path):
    """In every stage: see `clusters/test_killed_processes.py`."""
    for name in ("lost", "left alone"):
        copied(finished["classify"].folder.parents[1], tmp_path / name, until="segment")
    words = ["trainer=ddp_cpu", "stages=[segment]", "segment.max_epochs=6"]
    work_dir = tmp_path / "lost"
    before = kept(work_dir)
    process = start(work_dir, *words)
    deadline = time.monotonic() + 120
    while not [*work_dir.glob("segment/*/checkpoints/*.ckpt")]:
        assert process.poll() is None, process.output.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.001)
    second_of(psutil.Process(process.pid)).kill()
    assert process.wait() == 1
    text = said(process)
    assert text.count(said("process 1 of 2 was killed by SIGKILL")) == 1
    assert text.count(said("Finished stages, images and epochs are kept")) == 1
    assert "Traceback" not in text
    assert kept(work_dir) == before
    for name in ("lost", "left alone"):
        again = start(tmp_path / name, *words)
        assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(work_dir) == results(tmp_path / "left alone")
