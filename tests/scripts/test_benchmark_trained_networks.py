import json
import sys

import numpy as np
import pytest

from wsss.artifacts import Manifest, write_json
from wsss.stage_tools.image_counts import IMAGE_COUNTS, ImageCounts, sparse, write_image_counts

RUNS = """
base: [experiment=demo]
groups:
  small:
    words: [backbone=vit_mini]
    runs: {CAM: [cam=cam], AD-CAM: [[cam=ad_cam, cam.attention_network=null]]}
  other: {runs: {CAM: []}}
"""


@pytest.fixture
def benchmark(monkeypatch):
    import benchmark_trained_networks

    return benchmark_trained_networks


def finished(root, reactivated):
    """Folders of a run's stages, with what its numbers are read from."""

    def stage(name, seconds, schedule, **found):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(name, "f", {}, found, wall_time_s=seconds, schedule=schedule)
        manifest.write(folder)
        return {name: folder}

    folders = stage("classify", 60.0, {"steps": 300}, val_map=0.8, train_loss=0.3)
    if reactivated:
        numbers = {"val_map": 0.7, "train_loss": 1.2, "reactivation_loss": 0.9}
        folders |= stage("reactivate", 30.0, {"steps": 40}, **numbers)
    folders |= stage("evaluate", 30.0, {}, seeds_miou=0.3)
    scores = {"seeds_oracle": (0.4, 0.25), "seeds": (0.3, 0.3), "pseudo_masks": (0.5, None)}
    subjects = {name: {"miou": miou, "threshold": t} for name, (miou, t) in scores.items()}
    write_json(folders["evaluate"] / "metrics.json", {"subjects": subjects})
    return folders


def test_numbers_are_those_of_the_last_training_and_the_steps_of_all(benchmark, tmp_path):
    found = benchmark.numbers(finished(tmp_path, reactivated=True))
    assert found == {
        "val_map": 0.7, "train_loss": 1.2, "reactivation_loss": 0.9, "steps": 340,
        "seeds_oracle": 0.4, "threshold": 0.25, "seeds": 0.3, "pseudo_masks": 0.5,
        "minutes": 2.0, "classify_s": 60.0, "reactivate_s": 30.0, "evaluate_s": 30.0,
    }  # fmt: skip


def test_intervals_stand_beside_scores_where_images_were_counted(benchmark, tmp_path):
    folders = finished(tmp_path, reactivated=False)
    every = np.array([[[50, 80, 70], [20, 20, 30]]] * 4)  # IoU 0.5 and 2/3 in each image.
    counts = ImageCounts(("a", "b", "c", "d"), sparse(every))
    write_image_counts(folders["evaluate"] / IMAGE_COUNTS, {"pseudo_masks": counts})
    found = benchmark.numbers(folders)
    assert [*found["intervals"]] == ["pseudo_masks"]
    assert found["intervals"]["pseudo_masks"] == pytest.approx([7 / 12, 7 / 12])
    assert benchmark.cell_of(found, "pseudo_masks") == "0.500 (0.583–0.583)"
    assert benchmark.cell_of(found, "seeds") == "0.300"


def test_runs_have_the_words_of_base_group_and_their_own(benchmark, monkeypatch, tmp_path, capsys):
    file, work_dir = tmp_path / "runs.yaml", tmp_path / "work"
    file.write_text(RUNS)
    ran = []

    def run(words, folder):
        ran.append(words)
        return finished(folder, reactivated=False)

    monkeypatch.setattr(benchmark, "stage_folders", run)

    def command(*more):
        words = ["benchmark", "--runs", file, "--work-dir", work_dir, "--set", "seed=1", *more]
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        return benchmark.main()

    data = tmp_path / "data"
    assert command("--groups", "small", "--data", data) == 0
    end = [f"data.root={data}", "seed=1"]
    small = ["experiment=demo", "backbone=vit_mini"]
    assert ran == [
        [*small, "cam=cam", *end],
        [*small, "cam=ad_cam", "cam.attention_network=null", *end],
    ]
    assert command("--groups", "other") == 0
    assert ran[2:] == [["experiment=demo", "seed=1"]]
    written = json.loads((tmp_path / "work.json").read_text())
    assert written["oracle"] is True
    assert {group: [*runs] for group, runs in written["groups"].items()} == {
        "small": ["CAM", "AD-CAM"], "other": ["CAM"],
    }  # fmt: skip
    assert written["groups"]["other"]["CAM"]["words"] == ran[2]
    with pytest.raises(SystemExit):
        command("--groups", "smal")
    assert "no group smal; there are small, other" in capsys.readouterr().err
