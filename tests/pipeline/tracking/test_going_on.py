"""A run that is interrupted and started again is one tracked run, and whoever fails closes it."""

import csv
import io
import shutil

import pytest

from wsss.stages import evaluate

pytestmark = pytest.mark.filterwarnings("ignore:.*noload.*")


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_in_the_same_tracked_run(
    run, finished, tracker, prepare, read_back, monkeypatch, tmp_path
):
    """All was computed before but the evaluation, which is interrupted the first time."""
    for stage in ("check", "classify", "localize", "refine", "segment"):
        shutil.copytree(finished["classify"].folder.parents[1] / stage, tmp_path / stage)
    prepare(tracker, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "_score_train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, f"logger={tracker}")
    first = read_back(tracker, tmp_path)
    assert "health/coverage" in first.curves
    assert "evaluate/segmenter_miou" not in first.curves
    run(tmp_path, f"logger={tracker}")
    both = read_back(tracker, tmp_path)
    assert both.ids == first.ids
    assert len(both.ids) == 1
    told = [name for name in first.curves if "/" in name and name != "trainer/global_step"]
    assert "segment/train_loss" in told
    assert all(both.curves[name] == first.curves[name] for name in told)
    assert len(both.curves["evaluate/segmenter_miou"]) == 1
    assert set(first.made_of) < set(both.made_of)


def test_what_was_removed_is_told_anew(run, finished, content, alone, tmp_path):
    work_dir = finished["classify"].folder.parents[1]
    words = ("logger=tensorboard", f"logger.tensorboard.save_dir={tmp_path}", "stages=[classify]")
    run(work_dir, *words)
    (folder,) = tmp_path.iterdir()
    names = {path.name.partition(".vm")[0][:20] for path in folder.iterdir()}
    shutil.rmtree(folder)
    run(work_dir, *words)
    assert {path.name.partition(".vm")[0][:20] for path in folder.iterdir()} == names


def test_any_other_logger_of_lightnings_takes_the_numbers(run, finished, content, tmp_path):
    work_dir = finished["classify"].folder.parents[1]
    words = (
        "+logger.plain._target_=pytorch_lightning.loggers.CSVLogger",
        f"+logger.plain.save_dir={tmp_path}",
        "stages=[classify,localize,refine]",
    )
    run(work_dir, *words)
    (path,) = tmp_path.rglob("metrics.csv")
    names = next(csv.reader(io.StringIO(path.read_text())))
    assert {"classify/train_loss", "health/coverage", "stages/refine/wall_time_s"} <= set(names)
    before = content(tmp_path)
    run(work_dir, *words)
    assert content(tmp_path) == before


def test_a_run_that_wandbs_agent_has_named_is_that_run(
    run, finished, read_back, alone, monkeypatch, tmp_path
):
    pytest.importorskip("wandb", reason="wandb is an optional dependency")
    work_dir = finished["classify"].folder.parents[1]
    words = ("logger=wandb", f"logger.wandb.save_dir={tmp_path}", "stages=[classify]")
    for name in ("first", "second"):
        monkeypatch.setenv("WANDB_RUN_ID", name)
        run(work_dir, *words)
    contents = read_back("wandb", tmp_path)
    assert contents.ids == {"first", "second"}
    assert len(contents.curves["stages/classify/wall_time_s"]) == 2
