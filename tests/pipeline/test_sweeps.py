"""Sweeps by the command: what runs share, what one that fails leaves, and launchers."""

import json
import re
import time
from collections import Counter
from importlib.util import find_spec

import pytest

from wsss.runs.catalogue import catalogue
from wsss.runs.records import results

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
    masks = {("refine", path.parent.name) for path in tmp_path.glob("refine/*/manifest.json")}
    assert {*results(catalogue(tmp_path))} == masks  # What `wsss runs prune` keeps.
    pages = [*tmp_path.glob("logs/*/comparison.html")]
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        assert "6 runs of 18 stages, 9 of which were computed, the others shared." in text
        assert re.search(r"</b>\n\S*min_confidence=0.8\ncam=gradcam", text)  # A caption.
    assert "no images are shown" not in "".join(said)


def test_a_run_that_fails_is_named_and_the_others_go_on(start, tmp_path):
    sweep = start(tmp_path, "-m", "stages=[classify]", "+trainer.limit_train_batches=0,1.0")
    assert sweep.wait() == 1
    said = sweep.output.read_text()
    assert "0 failed: classify: no batch was trained on." in said
    assert "Traceback" not in said
    (record,) = finished_runs(tmp_path)
    assert "+trainer.limit_train_batches=1.0" in record["words"]
    (log,) = tmp_path.glob("logs/*/1")
    assert (log / record["stages"]["classify"] / "manifest.json").is_file()


@pytest.mark.minutes
@pytest.mark.parametrize(
    ("launcher", "package"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher"),
        ("submitit_local", "submitit"),
        ("ray", "ray"),
    ],
)
def test_a_launcher_makes_two_runs(start, tmp_path, launcher, package):
    """In processes of its own, which start others in turn; Ray starts a cluster first."""
    if find_spec(package) is None:
        pytest.skip(f"needs the extra {launcher.partition('_')[0]}")
    words = ("-m", f"hydra/launcher={launcher}", "stages=[classify]", "seed=0,1", "workers=1")
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


@pytest.mark.minutes
@pytest.mark.skipif(find_spec("optuna") is None, reason="needs the extra optuna")
def test_a_search_that_is_killed_goes_on(start, tmp_path):
    words = (
        "-m", "hydra/sweeper=optuna", "hydra.sweeper.objective=evaluate/pseudo_masks_miou",
        "hydra.sweeper.n_trials=3", "refine.method.min_confidence=interval(0.3,0.9)",
        "stages=[classify,localize,refine,evaluate]",
    )  # fmt: skip
    search = start(tmp_path, *words)
    while not [*tmp_path.glob("searches/*/1/run.json")] and search.poll() is None:
        time.sleep(0.02)
    search.kill()
    (first,) = tmp_path.glob("searches/*/0/run.json")
    begun = first.stat().st_mtime_ns
    search = start(tmp_path, *words)
    assert search.wait() == 0, search.output.read_text()
    (folder,) = tmp_path.glob("searches/oracle-*")
    records = [json.loads((folder / f"{trial}/run.json").read_text()) for trial in range(3)]
    assert [record["status"] for record in records] == ["finished"] * 3
    assert first.stat().st_mtime_ns == begun
    tried = {word for one in records for word in one["words"] if "min_confidence" in word}
    assert len(tried) == 3
    assert len([*tmp_path.glob("localize/*/manifest.json")]) == 1
    said = " ".join(search.output.read_text().split())
    assert "has the largest evaluate/pseudo_masks_miou" in said
    assert "(oracle: chosen with ground truth)" in said
    assert "(oracle: chosen with ground truth)" in (folder / "comparison.html").read_text()


def test_stages_are_compared_after_the_fact(call_command, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [finished[stage].folder for stage in ("evaluate", "refine")]
    words = ["data=synthetic", "data.num_train=9", "data.num_val=5", "data.size_px=64"]
    status, said = call_command("compare", *folders, *words, "--images", "2")
    assert status == 0
    assert "pseudo masks miou, % (oracle)" in said
    page = (tmp_path / "comparison.html").read_text()
    for part in (
        "train_000",
        "val_000",
        "Predictions",
        "Classifier",
        'Scores, in percent <strong class="badge oracle"',
    ):
        assert part in page
    for kind, text in (("Traceback", said), ("no images are shown", said)):
        assert kind not in text


def test_what_cannot_be_compared_is_told(call_command, tmp_path):
    assert call_command("compare")[0] == 1
    status, said = call_command("compare", tmp_path)
    assert status == 1
    assert "no run here" in said
