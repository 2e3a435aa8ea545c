"""Which results runs were made for, by the records beside their logs."""

import time

import pytest

from wsss.cli.main import main
from wsss.runs.catalogue import catalogue
from wsss.runs.choice import choose
from wsss.runs.records import results

STAGES = {
    ("classify", "c"): {},
    ("reactivate", "r"): {"classify": "c"},
    ("oppose", "o"): {"classify": "c"},
    ("localize", "a1"): {"classify": "c"},
    ("localize", "b1"): {"classify": "c"},
    ("refine", "a2"): {"localize": "a1"},
    ("refine", "b2"): {"localize": "b1"},
    ("segment", "a3"): {"refine": "a2"},
}
CLASSIFIER, SEEDS, MASKS = ("classify", "c"), ("localize", "b1"), ("refine", "b2")
SEGMENTER = ("segment", "a3")
"""The one goal; the run of the others has ended at its pseudo masks."""


@pytest.fixture
def work_dir(tmp_path, write_stage):
    for key, inputs in STAGES.items():
        write_stage(tmp_path / "runs", key, inputs)
    return tmp_path / "runs"


def removed(work_dir):
    found = catalogue(work_dir)
    choice = choose(found, results(found), 7.0, time.time())
    return {one.key for one, _ in choice.removed}


WITHOUT_RECORD = {SEEDS, MASKS, ("reactivate", "r"), ("oppose", "o")}


@pytest.mark.parametrize("log", ["logs/2026", "logs/2026/7", "searches/0a1b/7"])
def test_what_a_run_has_ended_with_is_kept_with_what_it_came_from(work_dir, write_record, log):
    assert removed(work_dir) == WITHOUT_RECORD
    write_record(work_dir / log, CLASSIFIER, SEEDS, MASKS, work_dir=work_dir)
    assert set(results(catalogue(work_dir))) == {SEGMENTER, MASKS}
    assert removed(work_dir) == {("reactivate", "r"), ("oppose", "o")}


def test_all_last_stages_of_a_run_are_results(work_dir, write_record):
    two = ("reactivate", "r"), ("oppose", "o")
    write_record(work_dir / "logs" / "2026", CLASSIFIER, *two, work_dir=work_dir)
    assert set(results(catalogue(work_dir))) == {SEGMENTER, *two}


def test_bounds_are_kept_whatever_was_compared_with_them(work_dir, write_stage):
    keys = [("oracle_bound", "x"), ("oracle_bound_same_schedule", "y")]
    for key in keys:
        write_stage(work_dir, key, {})
    assert set(results(catalogue(work_dir))) == {SEGMENTER, *keys}
    assert not {*keys} & removed(work_dir)


def test_a_moved_work_folder_keeps_the_same(work_dir, write_record):
    write_record(work_dir / "logs" / "2026", CLASSIFIER, SEEDS, MASKS, work_dir=work_dir)
    moved = work_dir.rename(work_dir.with_name("moved"))
    assert set(results(catalogue(moved))) == {SEGMENTER, MASKS}


def test_a_run_whose_last_stage_was_removed_counts_no_more(work_dir, write_record):
    gone = ("segment", "b3")
    write_record(work_dir / "logs" / "2026", CLASSIFIER, SEEDS, MASKS, gone, work_dir=work_dir)
    assert removed(work_dir) == WITHOUT_RECORD


@pytest.mark.parametrize("content", ["{", "[]", '{"status": "finished"}'])
def test_without_a_readable_record_goals_alone_are_kept(work_dir, write_record, content):
    path = write_record(work_dir / "logs" / "2026", CLASSIFIER, SEEDS, MASKS, work_dir=work_dir)
    path.write_text(content, encoding="utf-8")
    assert removed(work_dir) == WITHOUT_RECORD


def test_what_is_named_is_kept_alone(work_dir, write_record, monkeypatch):
    write_record(work_dir / "logs" / "2026", CLASSIFIER, SEEDS, MASKS, work_dir=work_dir)
    words = ["prune", f"work_dir={work_dir}", "--keep", "segment/a3", "--yes"]
    monkeypatch.setattr("sys.argv", ["wsss", "runs", *words])
    main()
    assert set(catalogue(work_dir).folders) == {*STAGES} - WITHOUT_RECORD
