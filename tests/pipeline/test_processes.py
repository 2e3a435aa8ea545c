import multiprocessing
import os
import re
import shutil
import signal
import socket
import time
from contextlib import suppress

import psutil
import pytest

from wsss.artifacts import read_json
from wsss.errors import WsssError


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(start, finished, content, tmp_path):
    # Nine and five images: neither can be shared out evenly.
    work_dir = finished["classify"].folder.parents[1]
    shutil.copytree(work_dir / "classify", tmp_path / "classify")
    process = start(
        tmp_path, "trainer=ddp_cpu", "trainer.devices=2", "workers=1", "logger=tensorboard"
    )
    assert process.wait() == 0, process.output.read_text()
    # The first process alone tells a tracker.
    assert len(list(tmp_path.glob("tensorboard/*/events.*"))) == 1
    for stage, part in (("localize", "seeds"), ("refine", "masks")):
        folder = tmp_path / stage / finished[stage].folder.name / part
        assert content(folder) == content(finished[stage].folder / part)
    # Training on two processes is another sum of gradients; everything else has to fit.
    (metrics,) = (tmp_path / "evaluate").glob("*/metrics.json")
    counts = list((metrics.parent / "counts" / "val_predictions").glob("*.npz"))
    assert len(counts) == 5
    assert (next((tmp_path / "report").glob("*/report.html"))).is_file()


@pytest.mark.slow
def test_a_classifier_is_trained_on_two_processes(start, tmp_path):
    process = start(tmp_path, "trainer=ddp_cpu", "stages=[classify]", "classify.batch_size=4")
    assert process.wait() == 0, process.output.read_text()
    (manifest,) = (tmp_path / "classify").glob("*/manifest.json")
    schedule = read_json(manifest)["schedule"]
    assert (schedule["images_per_step"], schedule["processes"]) == (4, 2)
    assert "steps of 4 images (2 processes × 2)" in process.output.read_text(encoding="utf-8")


ENDLESS = ("trainer=ddp_cpu", "stages=[classify]", "classify.batch_size=4")


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others_with_a_message(start, second_of, tmp_path, killed):
    """The one that was started may be killed by hand, and so may the one that started it."""
    process = start(tmp_path, *ENDLESS, "classify.max_epochs=100000")
    run = psutil.Process(process.pid)
    try:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("classify/*/checkpoints/*.ckpt")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        other = second_of(run)
        (run, other)[killed].kill()
        deadline = time.monotonic() + 60
        while (status := process.poll()) is None or other.is_running():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    text = process.output.read_text(encoding="utf-8")
    assert "Finished stages, images and epochs are kept" in text
    if killed == 1:
        assert status == 1
        assert "process 1 of 2 was killed by SIGKILL" in text
    else:
        assert "process 0, which started the others, was killed" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to_all", "number", "status"),
    [
        pytest.param(True, signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(False, signal.SIGINT, 130, id="kill -INT", marks=pytest.mark.minutes),
        pytest.param(True, signal.SIGTERM, 143, id="a job that ends"),
    ],
)
def test_an_interruption_of_several_processes_is_told_once(start, tmp_path, to_all, number, status):
    process = start(tmp_path, *ENDLESS, "classify.max_epochs=100000")
    try:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("classify/*/checkpoints/*.ckpt")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (os.killpg if to_all else os.kill)(process.pid, number)
        assert process.wait() == status
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    text = process.output.read_text(encoding="utf-8")
    assert text.count("Finished stages, images and epochs are kept") == 1
    assert "Traceback" not in text


def connected(rank, port, messages, say):
    """A process of two that ends, time after time, with a message or with none."""
    from datetime import timedelta
    from types import SimpleNamespace

    import torch

    from wsss.pipeline.launch import told_by_first

    address = f"tcp://127.0.0.1:{port}"
    wait = timedelta(seconds=60)
    torch.distributed.init_process_group(
        "gloo", init_method=address, rank=rank, world_size=2, timeout=wait
    )
    fabric = SimpleNamespace(global_rank=rank, world_size=2)
    for message in messages:
        if message is None:
            time.sleep(4)
            say.send(None)
        else:
            say.send(told_by_first(fabric, message))
        torch.distributed.barrier()
        if rank == 0:
            for key in ("message", "heard by 1"):
                torch.distributed.distributed_c10d._get_default_store().delete_key(key)
        torch.distributed.barrier()


def test_a_message_of_several_processes_is_told_by_the_first_alone():
    cases = {("a", "a"): [False, True], ("a", "b"): [False, False], (None, "b"): [None, False]}
    context = multiprocessing.get_context("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    heard = []
    processes = []
    for rank, messages in enumerate(zip(*cases, strict=True)):
        hear, say = context.Pipe(duplex=False)
        process = context.Process(target=connected, args=(rank, port, messages, say))
        process.start()
        say.close()
        heard.append(hear)
        processes.append(process)
    answers = [[one.recv() for one in heard] for _ in cases]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert answers == [*cases.values()]


@pytest.mark.slow
def test_a_batch_that_three_processes_cannot_share_is_told_once(start, tmp_path):
    process = start(
        tmp_path, "trainer=ddp_cpu", "trainer.devices=3", "stages=[classify]",
        "classify.batch_size=32",
    )  # fmt: skip
    assert process.wait() == 1
    said = " ".join(process.output.read_text(encoding="utf-8").split())
    assert said.count("a batch of 32 on 3 processes") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variable", "said"),
    [("WORLD_SIZE", "4 processes of torchrun"), ("SLURM_STEP_NUM_TASKS", "4 processes of srun")],
)
def test_processes_that_would_not_take_part_are_told(run, tmp_path, monkeypatch, variable, said):
    monkeypatch.setenv(variable, "4")
    with pytest.raises(WsssError, match=said):
        run(tmp_path)


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_all_processes(start, tmp_path):
    process = start(tmp_path, *ENDLESS, "classify.max_epochs=50", "classify.lr=1e25")
    assert process.wait() == 1
    said = " ".join(process.output.read_text(encoding="utf-8").replace("│", "").split())
    assert "Traceback" not in said
    assert re.search(r"classify, epoch \d+, (batch \d|the last batch)", said)
    assert re.search(r"\(images (train_\d+, )+train_\d+\)", said)
    assert "Lower classify.lr" in said
