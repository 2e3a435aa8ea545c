"""Whole runs of several processes and nodes, some of which are killed: `make test-long`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from wsss.stages import CHAIN

pytestmark = pytest.mark.minutes

AFFINITY = (
    "refine=affinity_crf", "affinity.labels.engine.num_iterations=1", "affinity.max_epochs=2",
    "affinity.batch_size=4", "affinity.augmentation.crop_px=64", "affinity.radius=4",
    "propagate.num_steps=4",
)  # fmt: skip
TWO = ("trainer=ddp_cpu", "workers=1", *AFFINITY)
STAGES = ("classify", "localize", "affinity", "propagate", "refine", "segment", "evaluate")
KEPT = {
    "classify": "classifier.safetensors",
    "localize": "seeds",
    "affinity": "affinity_heads.safetensors",
    "propagate": "seeds",
    "refine": "masks",
    "segment": "segmenter.safetensors",
    "evaluate": "",
}
"""What a stage leaves for others: its bytes count. Of the last, all that tells no time."""
TIMES = {"manifest.json", "checksums.b2sum"}


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """The work folder of a run of two processes that nobody disturbs."""
    work_dir = tmp_path_factory.mktemp("whole")
    process = start(work_dir, *TWO)
    assert process.wait() == 0, process.output.read_text()
    return work_dir


@pytest.fixture
def results(content):
    """The bytes of what each stage has left in a work folder, by stage and file."""

    def read(work_dir, stages=STAGES):
        found = {}
        for stage in stages:
            (folder,) = (path.parent for path in work_dir.glob(f"{stage}/*/manifest.json"))
            kept = folder / KEPT[stage]
            if kept.is_file():
                found[stage] = kept.read_bytes()
            else:
                files = content(kept).items()
                found[stage] = {name: one for name, one in files if name not in TIMES}
        return found

    return read


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_killed_in_any_stage_ends_the_run_and_loses_nothing(
    start, second_of, whole, results, tmp_path, stage, rank
):
    """Killed when the stage has begun; the other ends within a minute, and the rerun is exact."""
    before = CHAIN[: CHAIN.index(stage)]
    for done in before:
        if (whole / done).is_dir():
            shutil.copytree(whole / done, tmp_path / done)
    process = start(tmp_path, *TWO)
    run = psutil.Process(process.pid)
    deadline = time.monotonic() + 120
    while not [*tmp_path.glob(f"{stage}/*/devices.json")]:
        assert process.poll() is None, process.output.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    other = second_of(run)
    (run, other)[rank].kill()
    killed = time.monotonic()
    while process.poll() is None or other.is_running():
        assert time.monotonic() < killed + 60
        time.sleep(0.05)
    said = process.output.read_text(encoding="utf-8")
    assert not [*tmp_path.glob(f"{stage}/*/manifest.json")]
    assert "Finished stages, images and epochs are kept" in said
    named = ("process 0, which started the others, was killed", "process 1 of 2 was killed by SIG")
    assert named[rank] in said
    again = start(tmp_path, *TWO)
    assert again.wait() == 0, again.output.read_text()
    assert results(tmp_path) == results(whole)


def test_three_processes_give_the_seeds_masks_and_predictions_of_one(
    start, run, whole, results, tmp_path
):
    """Five images are a multiple of neither two nor three, nor are nine in batches of two."""
    numbers = ("localize", "propagate", "refine", "evaluate")
    found = {}
    for processes in (1, 3):
        work_dir = tmp_path / f"{processes}"
        for done in ("classify", "affinity", "segment"):
            shutil.copytree(whole / done, work_dir / done)
        words = [*AFFINITY, "workers=1", f"stages=[{','.join(numbers)},report]"]
        words += ["trainer=ddp_cpu", f"trainer.devices={processes}"] if processes > 1 else []
        process = start(work_dir, *words)
        assert process.wait() == 0, process.output.read_text()
        found[processes] = results(work_dir, numbers)
    assert found[1] == found[3] == {stage: results(whole)[stage] for stage in numbers}


class Nodes:
    """Two nodes on this machine: torchrun's agents with two processes each."""

    def __init__(self, work_dir, words):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.outputs = [work_dir.with_name(f"node{node}.txt") for node in range(2)]
        command = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=2",
            "--master_addr=127.0.0.1", f"--master_port={port}",
        ]  # fmt: skip
        own = ["-m", "wsss", "run", f"work_dir={work_dir}", "trainer=ddp_cpu", *words]
        self.agents = []
        for node, output in enumerate(self.outputs):
            own_words = [f"--node_rank={node}", *own, "trainer.num_nodes=2", "trainer.devices=2"]
            with output.open("w") as stream:
                self.agents.append(
                    subprocess.Popen(
                        [*command, *own_words],
                        stdout=stream,
                        stderr=subprocess.STDOUT,
                        env={**os.environ, "OMP_NUM_THREADS": "1"},
                    )
                )

    def process(self, rank):
        """The process of a rank."""
        agent = psutil.Process(self.agents[rank // 2].pid)
        (found,) = (one for one in agent.children() if one.environ().get("RANK") == str(rank))
        return found

    def said(self):
        """The output of each node."""
        return [output.read_text(encoding="utf-8") for output in self.outputs]

    def wait(self, timeout_s):
        """The status of each agent."""
        return [agent.wait(timeout_s) for agent in self.agents]

    def end(self):
        """Leave no process behind."""
        for agent in self.agents:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(agent.pid).children(recursive=True):
                    child.kill()
            agent.kill()
            agent.wait()


@pytest.fixture
def nodes(tiny_words):
    """Start two nodes: `nodes(work_dir, *words)`."""
    started = []

    def start_nodes(work_dir, *words):
        started.append(Nodes(work_dir, [*tiny_words, *words]))
        return started[-1]

    yield start_nodes
    for one in started:
        one.end()


def test_two_nodes_run_the_whole_pipeline(nodes, start, results, tmp_path):
    two = nodes(tmp_path / "two", "workers=1", "segment.batch_size=8")
    assert two.wait(300) == [0, 0], "\n".join(two.said())
    first, second = two.said()
    assert first.count("Report: ") == 1
    assert "Report: " not in second
    assert [*(tmp_path / "two").glob("report/*/report.html")]
    # Of the same networks, one process makes the same seeds, masks and predictions.
    for done in ("classify", "segment"):
        shutil.copytree(tmp_path / "two" / done, tmp_path / "one" / done)
    stages = ("localize", "refine", "evaluate")
    process = start(tmp_path / "one", "segment.batch_size=8", "stages=[localize,refine,evaluate]")
    assert process.wait() == 0, process.output.read_text()
    assert results(tmp_path / "one", stages) == results(tmp_path / "two", stages)


def test_a_process_killed_on_one_node_is_named_on_the_other_within_a_minute(nodes, tmp_path):
    two = nodes(tmp_path / "two", "stages=[classify]", "classify.max_epochs=100000")
    deadline = time.monotonic() + 120
    while not [*tmp_path.glob("two/classify/*/checkpoints/*.ckpt")]:
        assert time.monotonic() < deadline, "\n".join(two.said())
        time.sleep(0.05)
    killed = two.process(3)
    os.kill(killed.pid, signal.SIGKILL)
    assert two.wait(60) == [1, 1]
    first, _ = two.said()
    assert (
        f"process 3 of 4 (on {socket.gethostname()}, pid {killed.pid}) has given no sign" in first
    )
    assert "Finished stages, images and epochs are kept" in first
