import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from wsss.artifacts import fingerprint
from wsss.errors import WsssError
from wsss.report.bound import BOUNDS
from wsss.stages import CHAIN

OPTIONAL = ("reactivate", "oppose", "affinity", "propagate", "probe", *BOUNDS)
STAGES = tuple(stage for stage in CHAIN if stage not in OPTIONAL)
"""The stages that every run has."""


def test_every_stage_runs_once_and_leaves_a_manifest(finished):
    assert tuple(finished) == STAGES
    for stage, outcome in finished.items():
        assert not outcome.cached
        manifest = json.loads((outcome.folder / "manifest.json").read_text())
        assert manifest["stage"] == stage
        assert manifest["fingerprint"] == outcome.folder.name
        assert manifest["failures"] == {}
        assert manifest["wall_time_s"] > 0
        assert manifest["peak_memory_mb"] > 0


def test_seeds_are_plain_arrays_of_the_tags(finished):
    files = sorted((finished["localize"].folder / "seeds").glob("*.npz"))
    assert [file.stem for file in files] == [f"train_{index:04d}" for index in range(9)]
    for file in files:
        with np.load(file, allow_pickle=False) as seeds:
            height, width = seeds["size"]
            assert seeds["classes"].dtype == np.uint16
            assert seeds["maps"].dtype == np.float16
            assert seeds["maps"].shape == (len(seeds["classes"]), -(-height // 4), -(-width // 4))
            assert 0 <= seeds["maps"].min() <= seeds["maps"].max() <= 1


def test_pseudo_masks_are_palette_images_with_the_tags_only(finished):
    for file in (finished["refine"].folder / "masks").glob("*.png"):
        with np.load(finished["localize"].folder / "seeds" / f"{file.stem}.npz") as seeds:
            allowed = {0, 255, *seeds["classes"].tolist()}
            size = tuple(seeds["size"].tolist())
        with Image.open(file) as picture:
            assert picture.mode == "P"
            assert picture.getpalette()[:6] == [0, 0, 0, 128, 0, 0]
            mask = np.array(picture)
        assert mask.shape == size
        assert set(np.unique(mask).tolist()) <= allowed


def test_networks_are_exported_with_what_it_takes_to_use_them(finished):
    for stage, name in (("classify", "classifier"), ("segment", "segmenter")):
        description = json.loads((finished[stage].folder / f"{name}.json").read_text())
        assert len(description["class_names"]) == 8
        assert description["mean"] == [0.5, 0.5, 0.5]
        assert load_file(finished[stage].folder / f"{name}.safetensors")


def test_scores_and_report(finished):
    metrics = json.loads((finished["evaluate"].folder / "metrics.json").read_text())
    subjects = metrics["subjects"]
    assert {name for name, scores in subjects.items() if scores["oracle"]} == {"seeds_oracle"}
    assert subjects["seeds_oracle"]["miou"] >= subjects["seeds"]["miou"]
    assert subjects["segmenter"]["num_images"] == 5
    for scores in subjects.values():
        known = [iou for iou in scores["per_class_iou"] if iou is not None]
        assert scores["miou"] == pytest.approx(sum(known) / len(known))
    page = (finished["report"].folder / "report.html").read_text()
    assert "oracle" in page
    assert "train_000" in page


def test_second_run_is_cached_and_writes_nothing(run, finished):
    work_dir = finished["classify"].folder.parents[1]
    stages = [work_dir / stage for stage in STAGES]
    before = {path: path.stat().st_mtime_ns for stage in stages for path in stage.rglob("*")}
    again = run(work_dir)
    assert all(outcome.cached for outcome in again.values())
    files = [path for stage in stages for path in stage.rglob("*")]
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_workers_and_devices_do_not_renew_a_stage(run, finished):
    work_dir = finished["classify"].folder.parents[1]
    again = run(
        work_dir,
        "workers=2",
        "classify.checkpoint_every_n_epochs=2",
        "refine.max_batch_px=1000",
        "dense_crf.device=cpu",
    )
    assert all(outcome.cached for outcome in again.values())


def test_a_changed_stage_renews_what_comes_after_it_only(run, finished):
    work_dir = finished["classify"].folder.parents[1]
    again = run(work_dir, "refine.method.min_confidence=0.9", "stages=[classify,localize,refine]")
    assert {stage: outcome.cached for stage, outcome in again.items()} == {
        "classify": True,
        "localize": True,
        "refine": False,
    }
    assert again["refine"].manifest.numbers != finished["refine"].manifest.numbers


def test_same_seed_gives_the_same_bytes_with_other_workers(run, finished, content, tmp_path):
    again = run(tmp_path, "workers=2")
    for stage, part in (("localize", "seeds"), ("refine", "masks"), ("evaluate", "predictions")):
        expected = content(finished[stage].folder / part)
        assert expected
        assert content(again[stage].folder / part) == expected
    for stage, name in (("classify", "classifier"), ("segment", "segmenter")):
        file = f"{name}.safetensors"
        first, second = (runs[stage].folder / file for runs in (finished, again))
        assert first.read_bytes() == second.read_bytes()


def test_without_workers_everything_runs_in_this_process(
    run, finished, content, tmp_path, monkeypatch
):
    def refuse(_):
        raise AssertionError("a process was started")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    again = run(tmp_path, "workers=0", without=("workers",))
    for stage, part in (("localize", "seeds"), ("refine", "masks"), ("evaluate", "predictions")):
        assert content(again[stage].folder / part) == content(finished[stage].folder / part)


def test_a_stage_that_trained_on_no_batch_is_told(run, tmp_path):
    with pytest.raises(WsssError, match="no batch was trained on"):
        run(tmp_path, "stages=[classify]", "+trainer.limit_train_batches=0")


def test_another_seed_gives_other_seeds(run, finished, content, tmp_path):
    again = run(tmp_path, "seed=1", "stages=[classify,localize]")
    assert again["localize"].folder.name != finished["localize"].folder.name
    seeds = [content(runs["localize"].folder / "seeds") for runs in (finished, again)]
    assert seeds[0] != seeds[1]


def test_what_a_killed_run_left_is_cleared_away(run, finished, tmp_path):
    first = run(tmp_path, "stages=[classify,localize]")
    folder = first["localize"].folder
    (folder / "seeds" / ".77.tmp~train_0000.npz").write_bytes(b"half")
    (folder / "manifest.json").unlink()
    run(tmp_path, "stages=[classify,localize]")
    expected = {path.name for path in (finished["localize"].folder / "seeds").iterdir()}
    assert {path.name for path in (folder / "seeds").iterdir()} == expected


def test_the_manifest_holds_what_its_fingerprint_was_made_of(finished):
    for outcome in finished.values():
        manifest = json.loads((outcome.folder / "manifest.json").read_text())
        assert fingerprint(manifest["basis"]) == outcome.folder.name
        assert manifest["basis"]["seed"] == 0


@pytest.mark.slow
def test_a_whole_network_learns_and_refinement_is_left_out(run, finished, tmp_path):
    outcomes = run(
        tmp_path,
        "classify=finetune",
        "classify.class_balanced=true",
        "classify.max_epochs=1",
        "classify.batch_size=4",
        "classify.augmentation.crop_px=64",
        "refine=none",
        without=("classify.", "refine.method.engine"),
    )
    assert tuple(outcomes) == tuple(finished)
    assert outcomes["classify"].manifest.numbers["val_map"] > 0


def test_a_stage_without_its_inputs_says_what_to_run(run, tmp_path):
    with pytest.raises(WsssError, match="Add `localize` to `stages`"):
        run(tmp_path, "stages=[refine]")


def test_unknown_stage(run, tmp_path):
    with pytest.raises(WsssError, match="'refin'"):
        run(tmp_path, "stages=[refin]")
