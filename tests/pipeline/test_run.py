import json

import cv2
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from wsss.artifacts import fingerprint
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.metrics.overlaps import mean_iou_of_overlaps
from wsss.report.bound import BOUNDS
from wsss.stage_tools.image_counts import dense, read_image_counts
from wsss.stages import CHAIN

OPTIONAL = ("reactivate", "oppose", "affinity", "propagate", "probe", "propose", *BOUNDS)
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


def test_outlines_confidences_and_images_add_up_to_the_scores(finished):
    """Boundary IoU from the files of masks, by erosion of each class; counts of single images."""
    folder = finished["evaluate"].folder
    subjects = json.loads((folder / "metrics.json").read_text())["subjects"]
    numbers = finished["evaluate"].manifest.numbers
    counts = read_image_counts(folder / "image_counts.npz")
    assert {*counts} == {*subjects}
    for name, one in counts.items():
        assert len(one.images) == subjects[name]["num_images"]
        sums = dense(one.overlaps, len(one.images), 9).sum(axis=0)
        assert mean_iou_of_overlaps(sums) == pytest.approx(numbers[f"{name}_miou"], abs=1e-12)
    source = Synthetic(num_train=9, num_val=5, size_px=64)
    window = np.ones((3, 3), dtype=np.uint8)
    for name, split, masks in (
        ("pseudo_masks", "train", finished["refine"].folder / "masks"),
        ("segmenter", "val", folder / "predictions" / "val"),
        ("segmenter_tta_crf", "val", folder / "predictions" / "val_tta_crf"),
    ):
        sums = np.zeros((9, 2))
        for item in source.items(split):
            target = source.read_mask(item)
            mask = np.array(Image.open(masks / f"{item.id}.png"))
            mask = np.where(target == 255, 255, np.where(mask == 255, 0, mask))
            times = max(1, round(0.02 * np.hypot(*target.shape)))
            for label in range(9):
                ours, true = (
                    one & (cv2.erode(np.pad(one, 1), window, iterations=times)[1:-1, 1:-1] == 0)
                    for one in (
                        (mask == label).astype(np.uint8),
                        (target == label).astype(np.uint8),
                    )
                )
                sums[label] += (ours & true).sum(), (ours | true).sum()
        iou = [both / union for both, union in sums if union]
        assert numbers[f"{name}_boundary_miou"] == pytest.approx(np.mean(iou), abs=1e-12)
    pixels, right, confidence = counts["segmenter"].calibration.sum(axis=(0, 1))
    assert pixels == sum((source.read_mask(i) != 255).sum() for i in source.items("val"))
    assert right / pixels == pytest.approx(subjects["segmenter"]["pixel_accuracy"])
    calibration = subjects["segmenter"]["calibration"]
    assert calibration["ece"] == numbers["segmenter_ece"]
    assert calibration["ece"] >= abs(confidence / 65535 - right) / pixels - 1e-12
    assert sum(one["pixels"] for one in calibration["bins"]) == pixels
    assert not {"seeds_boundary_miou", "segmenter_tta_crf_ece"} & {*numbers}


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
