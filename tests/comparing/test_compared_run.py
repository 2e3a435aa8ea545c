"""Runs, read from records and manifests written by hand."""

from io import StringIO

import pytest
from rich.console import Console

from wsss.artifacts import Manifest, RunRecord
from wsss.cli.tables.compared_runs import run_table
from wsss.comparing.compared_run import read_runs, read_sweep, values_of
from wsss.comparing.differences import (
    compared_numbers,
    differing_settings,
    shared_settings,
    shortened,
)
from wsss.errors import WsssError


@pytest.fixture
def work_dir(tmp_path):
    """A sweep of three runs over the classifier's learning rate, the last of which has failed."""

    def stage(name, key, numbers, inputs=(), masks=False, **config):
        basis = {"inputs": dict(inputs)} | ({"masks": {}} if masks else {})
        folder = tmp_path / name / key
        folder.mkdir(parents=True)
        Manifest(name, key, config, numbers, basis).write(folder)
        return folder

    for number, rate in enumerate(("0.1", "0.2")):
        classify = stage("classify", f"c{number}", {"val_map": 0.5 + number / 10}, lr=float(rate))
        inputs = [("classify", f"c{number}")]
        evaluate = stage("evaluate", f"e{number}", {"seeds_miou": 0.3}, inputs, masks=True)
        record = RunRecord(["seed=1", f"classify.lr={rate}"], "finished", data={"name": "pets"})
        log = tmp_path / "logs" / "sweep" / str(number)
        record.note_stages(log, {"evaluate": evaluate, "classify": classify})
        record.write(log)
    failed = RunRecord(["seed=1", "classify.lr=9"], "failed", "classify: it diverged")
    failed.write(tmp_path / "logs" / "sweep" / "10")
    return tmp_path


def test_runs_of_a_sweep_are_read_in_their_order(work_dir):
    runs = read_sweep(work_dir / "logs" / "sweep")
    assert [run.name for run in runs] == ["0", "1", "10"]
    assert [run.status for run in runs] == ["finished", "finished", "failed"]
    assert runs[2].problem == "classify: it diverged"
    assert runs[0].folders == {
        "classify": work_dir / "classify" / "c0",
        "evaluate": work_dir / "evaluate" / "e0",
    }


def test_a_run_without_a_record_is_unfinished(work_dir):
    expected = [[f"classify.lr={rate}"] for rate in ("0.1", "0.2", "9", "99")]
    runs = read_sweep(work_dir / "logs" / "sweep", expected)
    assert [run.status for run in runs] == ["finished", "finished", "failed", "unfinished"]
    assert runs[3].words == {"classify.lr": "99"}


def test_a_stage_that_was_removed_is_no_part_of_its_run(work_dir):
    (work_dir / "evaluate" / "e0" / "manifest.json").unlink()
    assert [*read_sweep(work_dir / "logs" / "sweep")[0].folders] == ["classify"]


def test_settings_and_numbers_that_differ(work_dir):
    runs = read_sweep(work_dir / "logs" / "sweep")
    assert differing_settings(runs) == {"lr": ["0.1", "0.2", "9"]}
    assert compared_numbers(runs, with_masks=False) == {"classify/val_map": [0.5, 0.6, None]}
    assert compared_numbers(runs, with_masks=True) == {"evaluate/seeds_miou": [0.3, 0.3, None]}
    assert shared_settings(runs, ["1"]) == "lr=0.2"
    assert shared_settings(runs, ["0", "1"]) == ""


def test_weak_over_bound_is_a_score_of_each_run(work_dir):
    """The bound is one for all methods, what they reach of it is not."""
    folder = work_dir / "oracle_bound" / "b"
    folder.mkdir(parents=True)
    Manifest("oracle_bound", "b", {}, {"bound_miou": 0.8}, {"masks": {}}).write(folder)
    for number, miou in enumerate((0.4, 0.6)):
        place = work_dir / "evaluate" / f"e{number}"
        scored = Manifest.read(place)
        scored.numbers["segmenter_miou"] = miou
        scored.write(place)
        log = work_dir / "logs" / "sweep" / str(number)
        record = RunRecord.read(log)
        record.note_stages(log, {"evaluate": place, "oracle_bound": folder})
        record.write(log)
    runs = read_sweep(work_dir / "logs" / "sweep")
    scores = compared_numbers(runs, with_masks=True)
    assert scores["oracle_bound/bound_miou"] == [0.8, 0.8, None]
    assert scores["oracle/weak_over_bound"] == pytest.approx([0.5, 0.75, None])
    assert not any("bound" in name for name in compared_numbers(runs, with_masks=False))
    console = Console(width=200, record=True, file=StringIO())
    console.print(run_table(runs))
    head, *rows = console.export_text().split("┡")
    assert "weak over bound, % (oracle)" in " ".join(head.replace("┃", " ").split())
    assert "bound miou" not in head
    assert [row.count(share) for row in rows for share in ("50.0", "75.0")] == [1, 1]
    assert "and 1 more number on the page" in rows[-1]


def test_stages_stand_for_what_they_were_computed_from(work_dir):
    runs = read_runs([work_dir / "evaluate" / "e0", work_dir / "evaluate" / "e1"])
    assert [run.name for run in runs] == ["evaluate/e0", "evaluate/e1"]
    assert [*runs[0].folders] == ["classify", "evaluate"]
    assert differing_settings(runs) == {"lr": ["0.1", "0.2"]}


def test_files_beside_stages_are_no_runs_and_other_folders_are_told(work_dir):
    (work_dir / "evaluate" / "e0.lock").touch()
    assert len(read_runs(sorted((work_dir / "evaluate").iterdir()))) == 2
    (work_dir / "empty").mkdir()
    with pytest.raises(WsssError, match="no run here"):
        read_runs([work_dir / "empty"])


def test_a_moved_work_folder_is_read_as_well(work_dir, tmp_path):
    moved = work_dir.rename(tmp_path.with_name("moved"))
    runs = read_runs([moved / "logs" / "sweep" / "1"])
    assert runs[0].folders["classify"] == moved / "classify" / "c1"


def test_words_are_read_as_settings():
    words = ["seed=1", "+trainer.x=a=b", "~reactivate", "++y=2"]
    assert values_of(words) == {"seed": "1", "trainer.x": "a=b", "reactivate": "null", "y": "2"}


def test_names_are_shortened_where_no_two_share_the_end():
    assert shortened(["classify.lr", "segment.lr", "seed", "a.b.c"]) == [
        "classify.lr",
        "segment.lr",
        "seed",
        "c",
    ]
