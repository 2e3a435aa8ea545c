"""A command that is killed by `kill -9` in a training goes on in the same tracked run."""

import csv
import io
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.minutes, pytest.mark.filterwarnings("ignore:.*noload.*")]
EPOCHS = 40
"""Enough of them that the run is killed long before the last."""
HELD_BACK = {"wandb": 10, "mlflow": 1}
"""Values that a tracker may not have written when it is killed: W&B writes once a second."""


@pytest.fixture
def start_tracked(tiny_words, tracker, prepare, tmp_path):
    """Start `wsss run` with a tracker; a process of its own, since trackers ask the environment."""
    prepare(tracker, tmp_path)
    wsss = Path(sys.executable).with_name("wsss")
    started = []

    def start():
        words = [*tiny_words, f"work_dir={tmp_path}", "workers=0", f"logger={tracker}"]
        words += [f"segment.max_epochs={EPOCHS}"]
        with (tmp_path.with_name(f"{tmp_path.name}_{len(started)}.txt")).open("w+") as output:
            process = subprocess.Popen([wsss, "run", *words], stdout=output, stderr=output)
        process.output = Path(output.name)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"], indirect=True)
def test_a_killed_run_goes_on_in_the_same_tracked_run(
    start_tracked, finished, tracker, read_back, tmp_path
):
    """All was computed before but the segmenter, in whose training it is killed."""
    for stage in ("check", "classify", "localize", "refine"):
        shutil.copytree(finished["classify"].folder.parents[1] / stage, tmp_path / stage)
    process = start_tracked()
    while not [*tmp_path.glob("segment/*/checkpoints/epoch=00[123]?.ckpt")]:
        assert process.poll() is None, process.output.read_text(encoding="utf-8")
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not [*tmp_path.glob("segment/*/manifest.json")]
    process = start_tracked()
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")

    contents = read_back(tracker, tmp_path, **({"killed": 1} if tracker == "wandb" else {}))
    assert len(contents.ids) == 1
    attempts = [read_rows(path) for path in sorted(tmp_path.glob("segment/*/curves/*/metrics.csv"))]
    assert len(attempts) == 2
    for name in ("segment/train_loss", "segment/pseudo_miou"):
        first, second = (
            {int(row["step"]): float(row[name]) for row in rows if row.get(name)}
            for rows in attempts
        )
        expected, told = first | second, contents.curves[name]
        assert len(told) == len(dict(told))
        # The value that came in the moment of the kill may be lost to the file as well.
        assert len(expected) >= EPOCHS - 1
        lost = set(expected) - set(dict(told))
        assert lost <= {*sorted(first)[-HELD_BACK[tracker] :]}
        assert len(lost) < len(first)
        kept = {step: value for step, value in expected.items() if step not in lost}
        assert dict(told) == pytest.approx(kept, rel=1e-6)
    for name in ("health/coverage", "stages/segment/wall_time_s", "evaluate/segmenter_miou"):
        assert len(contents.curves[name]) == 1, name
    assert any(name.startswith("segmenter-") for name in contents.made_of)


def read_rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
