"""Sweeps by the command: what runs share, what one that fails leaves, and launchers."""

import json
import re
from collections import Counter
from importlib.util import find_spec

import pytest

STAGES = "stages=[classify,localize,refine]"
COMPUTED = re.compile(r"(\w+) → (\S+)$", re.MULTILINE)
"""What a run says when it begins a stage."""


def finished_runs(work_dir):
    records = [json.loads(path.read_text()) for path in sorted(work_dir.glob("logs/*/*/run.json"))]
    return [record for record in records if record["status"] == "finished"]


@pytest.mark.slow
def test_two_sweeps_at_once_compute_each_stage_once(start, tmp_path):
    words = ("-m", "refine.method.min_confidence=0.5,0.6,0.8", "cam=cam,gradcam", STAGES)
    sweeps = [start(tmp_path, *words) for _ in range(2)]
    said = []
    for sweep in sweeps:
        assert sweep.wait() == 0, sweep.output.read_text()
        said.append(sweep.output.read_text())
    begun = Counter(folder for text in said for _, folder in COMPUTED.findall(text))
    manifests = [*tmp_path.glob("*/*/manifest.json")]
    assert Counter(path.parents[1].name for path in manifests) == {
        "classify": 1,
        "localize": 2,
        "refine": 6,
    }
    assert begun == {str(path.parent): 1 for path in manifests}
    assert len(finished_runs(tmp_path)) == 12
    pages = [*tmp_path.glob("logs/*/comparison.html")]
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        assert "6 runs of 18 stages, 9 of which were computed, the others shared." in text
        assert "min_confidence=0.8, cam=gradcam" in text  # the caption of a picture
    assert "no images are shown" not in "".join(said)


def test_a_run_that_fails_is_named_and_the_others_go_on(start, tmp_path):
    sweep = start(tmp_path, "-m", "stages=[classify]", "+trainer.limit_train_batches=0,1.0")
    assert sweep.wait() == 1
    said = sweep.output.read_text()
    assert "0 failed: classify: no batch was trained on." in said
    assert "Traceback" not in said
    (record,) = finished_runs(tmp_path)
    assert record["words"][-1] == "+trainer.limit_train_batches=1.0"
    (log,) = tmp_path.glob("logs/*/1")
    assert (log / record["stages"]["classify"] / "manifest.json").is_file()


def test_a_single_run_leaves_a_record_as_well(start, tmp_path):
    run = start(tmp_path, "stages=[classify]")
    assert run.wait() == 0, run.output.read_text()
    (path,) = tmp_path.glob("logs/*/run.json")
    record = json.loads(path.read_text())
    assert record["status"] == "finished"
    assert record["data"]["num_train"] == 9


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(
            "joblib",
            marks=pytest.mark.skipif(
                find_spec("joblib") is None
                or find_spec("hydra_plugins.hydra_joblib_launcher") is None,
                reason="needs the extra joblib",
            ),
        ),
        pytest.param(
            "submitit_local",
            marks=pytest.mark.skipif(
                find_spec("submitit") is None, reason="needs the extra submitit"
            ),
        ),
        pytest.param(
            "ray",
            marks=[
                pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray"),
                pytest.mark.minutes,  # Ray starts a cluster first.
            ],
        ),
    ],
)
def test_a_launcher_makes_two_runs(start, tmp_path, launcher):
    words = ("-m", f"hydra/launcher={launcher}", "stages=[classify]", "seed=0,1")
    sweep = start(tmp_path, *words)
    assert sweep.wait() == 0, sweep.output.read_text()
    assert len([*tmp_path.glob("classify/*/manifest.json")]) == 2
    assert len(finished_runs(tmp_path)) == 2
    assert "Comparison:" in sweep.output.read_text()


@pytest.mark.minutes
def test_runs_of_two_processes_follow_each_other(command, tmp_path):
    words = ("-m", "trainer=ddp_cpu", "stages=[classify]", "+trainer.limit_train_batches=0,1.0")
    done = command(tmp_path, *words, "seed=0,1")
    assert done.returncode == 1
    assert len(finished_runs(tmp_path)) == 2
    assert len([*tmp_path.glob("classify/*/manifest.json")]) == 2
