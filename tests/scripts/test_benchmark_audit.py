import json
import sys

import numpy as np
import pytest
from rich.console import Console

from wsss.settings.build import build
from wsss.settings.compose import compose

KINDS = (
    "wrong_tag", "missing_tag", "inseparable_classes", "background_evidence", "fixed_position",
    "near_duplicate",
)  # fmt: skip
SMALL = ["data.num_train=80", "data.num_val=16", "data.size_px=64"]


@pytest.fixture
def benchmark(monkeypatch):
    import benchmark_audit

    monkeypatch.setattr(benchmark_audit, "is_installed", lambda: False)
    return benchmark_audit


def write_perfect_audit(words, folder):
    """An audit that finds all wrong tags but one, which comes last, and flags an image for each."""
    planted = [one for one in build(compose("run", words).data).planted() if one.label]
    findings = [
        {"image": one.image, "split": "train", "label": one.label, "other": None, "flagged": True}
        for one in planted
    ]
    wrong = {"image": "x", "split": "train", "label": "boat", "other": None, "flagged": False}
    findings.insert(len(findings) - 1, wrong)
    checks = {kind: {"findings": findings if kind == "wrong_tag" else []} for kind in KINDS}
    (folder / "evidence").mkdir(parents=True)
    (folder / "audit.json").write_text(json.dumps({"run": {"commit": "c"}, "checks": checks}))
    return len(planted)


@pytest.fixture
def run(benchmark, monkeypatch, tmp_path, capsys):
    """Run the command with audits that are made by hand; gives its JSON, and what is printed."""

    def command(*arguments, fails_at=None):
        asked = []

        def audited(words, work_dir):
            asked.append(words)
            if len(asked) == fails_at:
                raise KeyboardInterrupt
            folder = work_dir / f"audit_{len(asked)}"
            write_perfect_audit(words, folder)
            return folder

        monkeypatch.setattr(benchmark, "audited", audited)
        output = tmp_path / "out.json"
        work = tmp_path / f"work_{len(list(tmp_path.iterdir()))}"
        all_ = [*arguments, "--set", *SMALL, "--output", output, "--work-dir", work]
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, all_)])
        benchmark.main(Console(width=200))
        return json.loads(output.read_text()), capsys.readouterr().out, asked

    return command


def test_every_case_composes_and_plants_its_own_fault_alone(benchmark):
    for case in benchmark.CASES:
        source = build(compose("run", [*benchmark.words_of(case, 1), *SMALL]).data)
        assert {one.kind for one in source.planted()} == {case}
        assert (source.seed, source.context_bias) == (1, 0)
    clean = build(compose("run", benchmark.words_of(benchmark.CLEAN, 2)).data)
    assert clean.planted() == []
    assert (clean.seed, clean.context_bias) == (2, 0)


def test_what_is_found_is_scored_shown_and_written(run):
    result, printed, asked = run("--cases", "wrong_tags", "clean", "--seeds", "0", "1")
    assert [words[-5:-3] for words in asked] == [
        ["seed=0", "data.seed=0"],
        ["seed=1", "data.seed=1"],
    ] * 2
    found = result["runs"]["wrong_tags"]["1"]["scores"]
    assert found["planted"] == 4  # 0.05 of 80 images.
    assert (found["precision"], found["recall"], found["flagged"]) == (3 / 4, 1, 4)
    assert "cleanlab" not in result["runs"]["wrong_tags"]["1"]
    assert result["summary"]["wrong_tags"]["scores"]["precision"] == [0.75, 0]
    assert result["runs"]["clean"]["0"]["false_alarms"] == dict.fromkeys(KINDS, 0)
    assert "0.75 ± 0.00" in printed
    assert "cleanlab is not installed" in printed
    assert "False alarms" in printed
    assert "flagged, 2 seeds" in printed


def test_what_was_found_before_an_interruption_is_written(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("--cases", "wrong_tags", "--seeds", "0", "1", "2", fails_at=3)
    written = json.loads((tmp_path / "out.json").read_text())
    assert list(written["runs"]["wrong_tags"]) == ["0", "1"]


def test_nothing_is_taken_from_an_earlier_file(run, tmp_path):
    (tmp_path / "out.json").write_text('{"runs": {"clean": {"0": {"false_alarms": {"x": 9}}}}}')
    result, *_ = run("--cases", "clean", "--seeds", "0")
    assert result["runs"]["clean"]["0"]["false_alarms"] == dict.fromkeys(KINDS, 0)


def test_confident_learning_sees_the_same_probabilities(benchmark, monkeypatch, tmp_path):
    pytest.importorskip("cleanlab", reason="cleanlab is no dependency")
    monkeypatch.setattr(benchmark, "is_installed", lambda: True)
    words = [*benchmark.words_of("wrong_tags", 0), *SMALL]
    source = build(compose("run", words).data)
    items = source.items("train")
    truth = source.tag_matrix(items)
    for one in source.planted():
        row = [item.id for item in items].index(one.image)
        truth[row, source.class_names.index(one.label)] = False
        truth[row, source.class_names.index(one.other)] = True
    write_perfect_audit(words, tmp_path)
    rng = np.random.default_rng(0)
    near = np.where(truth, 0.9, 0.1) + rng.uniform(-0.05, 0.05, truth.shape)
    np.savez(
        tmp_path / benchmark.OUT_OF_FOLD,
        ids=np.array([item.id for item in items]),
        class_names=np.array(source.class_names),
        tags=source.tag_matrix(items),
        probabilities=1 - near,  # So bad that nothing can be found by them.
        best_cells=near,
    )
    found = benchmark.measured("wrong_tags", words, tmp_path)
    assert found["cleanlab"]["best_cells"] == 1
    assert found["cleanlab"]["whole_image"] < 1


def test_what_confident_learning_finds_has_a_column_for_each_of_the_probabilities(
    benchmark, monkeypatch, tmp_path
):
    """In place of it a ranking by the probability alone, on a tag of each image."""
    monkeypatch.setattr(benchmark, "is_installed", lambda: True)
    words = [*benchmark.words_of("wrong_tags", 0), *SMALL]
    planted = [(one.image, one.label) for one in build(compose("run", words).data).planted()]
    found_by = {"probabilities": [("x", "boat")] * len(planted), "best_cells": planted}
    monkeypatch.setattr(benchmark, "read_out_of_fold", lambda path, name: found_by[name])
    monkeypatch.setattr(benchmark, "suspects", lambda found, tagged: found)
    write_perfect_audit(words, tmp_path)
    found = benchmark.measured("wrong_tags", words, tmp_path)
    assert found["cleanlab"] == {"whole_image": 0, "best_cells": 1}
    table, *_ = benchmark.tables({"wrong_tags": {"0": found}})
    cells = {str(one.header): [*one.cells] for one in table.columns}
    assert cells["precision at planted"] == [f"{found['scores']['precision']:.2f} ± 0.00"]
    assert cells["cleanlab, whole image"] == ["0.00 ± 0.00"]
    assert cells["cleanlab, best cells"] == ["1.00 ± 0.00"]


def test_the_audit_is_of_the_masks_and_named_after_them_and_its_code(
    benchmark, monkeypatch, tmp_path
):
    run, commands = tmp_path / "refine" / "0123", []
    monkeypatch.setattr(
        benchmark, "stage_folders", lambda words, _: {"refine": run, "words": words}
    )
    monkeypatch.setattr(benchmark.subprocess, "run", lambda command, **_: commands.append(command))
    package = tmp_path / "wsss"
    monkeypatch.setattr(benchmark.wsss, "__file__", str(package / "__init__.py"))
    (package / "auditing" / "checks").mkdir(parents=True)
    check = package / "auditing" / "checks" / "one.py"
    folders = []
    for code in ("1", "1", "2"):
        check.write_text(code)
        data = ["data=synthetic", "data.seed=0"]
        folders.append(benchmark.audited(["seed=0", *data], tmp_path))
        own = [str(run), f"output={folders[-1]}", *data]
        assert commands[-1][1:] == ["-m", "wsss", "audit", *own]
    assert folders[0] == folders[1] != folders[2]
    assert folders[0].name.startswith("0123_")
