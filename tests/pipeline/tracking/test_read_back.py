"""Every tracker holds the same: read back by its own reader, held to the stages' files."""

import csv
import io
import json
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest

from wsss.report.health import health

pytestmark = pytest.mark.filterwarnings("ignore:.*noload.*")
CHAIN = ("segmenter", "pseudo_masks", "seeds", "classifier", "train_data")


@pytest.fixture(scope="module")
def contents(replayed, read_back):
    return read_back(replayed.tracker, replayed.work_dir)


@pytest.fixture(scope="module")
def metrics(finished):
    return json.loads((finished["evaluate"].folder / "metrics.json").read_text())


def single(contents, name):
    ((_, value),) = contents.curves[name]
    return pytest.approx(value, rel=1e-6)  # TensorBoard keeps single precision.


def test_one_run_with_its_configuration_and_commit(contents, replayed):
    assert len(contents.ids) == 1
    assert contents.config["segment"]["max_epochs"] == 2
    assert contents.config["data"]["num_train"] == 9
    assert contents.config["commit"] == replayed.outcomes["report"].manifest.commit
    assert contents.config["versions"]["torch"]


@pytest.mark.parametrize("stage", ["classify", "segment"])
def test_curves_are_those_of_the_files_each_value_once(contents, finished, stage):
    (path,) = finished[stage].folder.glob("curves/*/metrics.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    names = set(rows[0]) - {"epoch", "step"}
    assert f"{stage}/train_loss" in names
    for name in names:
        expected = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        assert len(contents.curves[name]) == len(expected)
        np.testing.assert_allclose(sorted(contents.curves[name]), expected, rtol=1e-6)


def test_the_last_tag_map_is_that_of_the_classifier(contents, finished):
    _, last = max(contents.curves["classify/val_map"])
    assert last == pytest.approx(finished["classify"].manifest.numbers["val_map"])


def test_health_is_told_without_any_mask(contents, finished):
    expected = health({stage: outcome.folder for stage, outcome in finished.items()})
    assert {"seed_agreement", "seed_entropy", "coverage", "class_share/cactus"} <= set(expected)
    for name, value in expected.items():
        assert single(contents, f"health/{name}") == value


def test_scores_of_classes_are_a_table_in_which_oracle_ones_say_so(contents, metrics):
    head, mean, *rows = contents.tables["evaluate/iou"]
    labels = [one["label"] + " (oracle)" * one["oracle"] for one in metrics["subjects"].values()]
    assert sorted(head[1:]) == sorted(labels)
    assert any("(oracle)" in label for label in labels)
    assert [row[0] for row in rows] == ["background", *metrics["class_names"]]
    for subject in metrics["subjects"].values():
        column = head.index(subject["label"] + " (oracle)" * subject["oracle"])
        assert float(mean[column]) == pytest.approx(subject["miou"], rel=1e-3)
        for row, iou in zip(rows, subject["per_class_iou"], strict=True):
            if iou is not None:
                assert float(row[column]) == pytest.approx(iou, rel=1e-3)


def test_what_a_mask_has_chosen_is_below_oracle_alone(contents, metrics):
    for name, subject in metrics["subjects"].items():
        key = f"evaluate/oracle/{name}_miou" if subject["oracle"] else f"evaluate/{name}_miou"
        assert single(contents, key) == subject["miou"]
    told = {*contents.curves, *contents.confusions, *contents.pictures}
    assert all("oracle/" in name for name in told if "seeds_oracle" in name)


def test_confusions_are_those_of_the_images(contents, finished, replayed):
    expected = 0
    for path in (finished["evaluate"].folder / "counts" / "val_predictions").iterdir():
        with np.load(path) as counts:
            expected = expected + counts["segmenter"]
    names = ("pseudo_masks", "segmenter", "segmenter_tta_crf", "seeds")
    assert {f"evaluate/confusion/{name}" for name in names} <= set(contents.confusions)
    assert "evaluate/oracle/confusion/seeds_oracle" in contents.confusions
    if replayed.tracker != "tensorboard":  # It has a picture.
        np.testing.assert_array_equal(contents.confusions["evaluate/confusion/segmenter"], expected)


def test_every_stage_is_shown_over_the_same_images(contents):
    for stage in ("localize", "refine", "evaluate"):
        group = f"overlays/{stage}/"
        shown = {one.removeprefix(group) for one in contents.pictures if one.startswith(group)}
        assert len(shown) == 4
        assert all(name.startswith("val" if stage == "evaluate" else "train") for name in shown)
    groups = [one.split("/") for one in contents.pictures]
    assert {one[2] for one in groups if one[1] == "localize"} == {
        one[2] for one in groups if one[1] == "refine"
    }
    assert any(one[0] == "gallery" for one in groups)


def test_time_and_memory_of_stages_are_numbers_and_a_table(contents, finished):
    head, *rows = contents.tables["stages"]
    assert [row[0] for row in rows] == list(finished)
    for row in rows:
        manifest = finished[row[0]].manifest
        for name in ("wall_time_s", "peak_memory_mb"):
            assert single(contents, f"stages/{row[0]}/{name}") == getattr(manifest, name)
        seconds = float(row[head.index("wall time (s)")])
        assert seconds == pytest.approx(manifest.wall_time_s, rel=1e-3)


def test_lineage_leads_from_the_segmenter_to_the_data_by_references(contents, finished):
    (name,) = (one for one in contents.made_of if one.startswith("segmenter-"))
    for kind in CHAIN[1:]:
        (name,) = (one for one in contents.made_of[name] if one.startswith(f"{kind}-"))
    assert contents.made_of[name] == []
    # Images that are drawn are nowhere.
    folders = {Path(unquote(urlparse(uri).path)) for uri in contents.uris.values()}
    assert folders == {outcome.folder for outcome in finished.values()}


def test_a_finished_run_that_is_asked_for_again_adds_nothing(run, content, replayed):
    files = content(replayed.work_dir)
    run(replayed.work_dir, f"logger={replayed.tracker}")
    changed = {
        name
        for name, held in content(replayed.work_dir).items()
        if files.get(name) != held and not name.startswith("logs/") and not name.endswith(".lock")
    }
    assert changed == set()
