"""Whole runs of three processes, and of two nodes: `make test-long`."""

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

pytestmark = pytest.mark.minutes


def test_three_processes_give_the_seeds_masks_and_predictions_of_one(
    finish, whole, results, of_affinity, tmp_path
):
    """Five images are a multiple of neither two nor three, nor are nine in batches of two."""
    numbers = ("localize", "propagate", "refine", "evaluate")
    found = {}
    for processes in (1, 3):
        work_dir = tmp_path / f"{processes}"
        for done in ("classify", "affinity", "segment"):
            shutil.copytree(whole / done, work_dir / done)
        words = [*of_affinity, "workers=1", f"stages=[{','.join(numbers)},report]"]
        words += ["trainer=ddp_cpu", f"trainer.devices={processes}"] if processes > 1 else []
        finish(work_dir, *words)
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


def test_two_nodes_run_the_whole_pipeline(nodes, finish, results, tmp_path):
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
    finish(tmp_path / "one", "segment.batch_size=8", "stages=[localize,refine,evaluate]")
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
