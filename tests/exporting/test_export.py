"""The command: what it takes, refuses, keeps and replaces."""

import json
import shutil
from pathlib import Path

import pytest

import wsss
from wsss.exporting import onnx_file


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_only_segmenter_of_a_run_is_found(export, finished, tmp_path):
    status, said = export(finished.work_dir, "--formats", "safetensors", "--output", "out")
    assert status == 0, said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "export.json", "segmenter.json", "segmenter.safetensors",
    }  # fmt: skip
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| 1 | cat | 2 |" in text  # Counted from the seeds: no data set was given.
    assert "not named when this was exported" in text


def test_from_python_the_folder_is_returned(finished, tmp_path):
    words = ["formats=safetensors", f"output={tmp_path / 'out'}", "license=cc-by-4.0"]
    folder = wsss.export(finished.stage("segment"), words)
    assert folder == tmp_path / "out"
    assert "license: cc-by-4.0" in (folder / "README.md").read_text(encoding="utf-8")
    assert wsss.load(folder).names == ("background", "cat", "dog")


def test_without_an_output_the_folder_is_beside_the_stages(finished):
    folder = wsss.export(finished.stage("localize"))
    assert folder.parent == finished.work_dir / "export"
    assert len([*(folder / "irn").iterdir()]) == 3
    assert wsss.export(finished.stage("localize")) == folder


def test_pseudo_masks_are_what_a_refine_stage_is_exported_as(export, finished, tmp_path):
    status, said = export(finished.stage("refine"), "output=out", *finished.data_words)
    assert status == 0, said
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "export.json", "voc", "coco"}


def test_a_killed_export_goes_on_and_ends_with_the_same_bytes(
    export, finished, tmp_path, monkeypatch
):
    words = (finished.stage("refine"), "formats=voc,coco,irn", *finished.data_words)
    assert export(*words, "output=whole")[0] == 0

    class KilledError(Exception):
        pass

    for number in (2, 3, 4, 4):
        calls = []
        replace = Path.replace

        def killed(path, target, calls=calls, number=number, replace=replace):
            calls.append(target)
            if len(calls) > number:
                raise KilledError
            return replace(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            with pytest.raises(KilledError):
                export(*words, "output=parts")
        record = json.loads((tmp_path / "parts" / "export.json").read_text())
        assert record["finished"] is False
    status, said = export(*words, "output=parts")
    assert status == 0, said
    assert content(tmp_path / "parts") == content(tmp_path / "whole")
    status, said = export(*words, "output=parts")
    assert status == 0
    assert "nothing has changed" in said


def test_a_file_that_was_removed_is_written_again(export, finished, tmp_path):
    words = (finished.stage("segment"), "formats=safetensors", "output=out")
    assert export(*words)[0] == 0
    before = content(tmp_path / "out")
    (tmp_path / "out" / "segmenter.safetensors").unlink()
    assert export(*words)[0] == 0
    assert content(tmp_path / "out") == before


def test_an_earlier_export_is_replaced_and_other_files_stay(export, finished, tmp_path):
    words = (finished.stage("localize"), "output=out")
    assert export(*words)[0] == 0
    (tmp_path / "out" / ".git").mkdir()
    (tmp_path / "out" / ".git" / "config").write_text("mine")
    assert export(finished.stage("refine"), "output=out", *finished.data_words)[0] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "export.json", "voc", "coco", ".git"}


def test_a_folder_with_other_files_is_refused_and_untouched(export, finished, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("mine")
    status, said = export(finished.stage("localize"), "output=out")
    assert status == 1
    assert "files that `wsss export` did not write" in said
    assert content(tmp_path / "out") == {"README.md": b"mine"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "no folder expected: one finished stage"),
        (["{segment}", "{refine}"], "2 folders"),
        (["nowhere"], "no such folder"),
        (["{evaluate}"], "the stage `evaluate` expected: the folder of a finished segment"),
        (["{segment}", "formats=onx"], "'onnx'"),
        (["{segment}", "format=onnx"], "`formats`"),
        (["{segment}", "formats=voc"], "no data set expected: the images"),
        (["{segment}", "example=d"], "an image without its data set"),
        (["{localize}", "formats=onnx"], "the stage `localize` has no network"),
        (["{segment}", "data=synthetic"], "are not those that"),
        (["{segment}", "formats=safetensors", "example=x", "{data}"], "no evaluated image"),
    ],
)
def test_what_cannot_be_exported_is_told(export, finished, tmp_path, words, expected):
    stages = {name: finished.stage(name) for name in ("segment", "refine", "localize", "evaluate")}
    given = [
        part
        for word in words
        for part in (finished.data_words if word == "{data}" else [word.format(**stages, data="")])
    ]
    status, said = export(*given, "output=out")
    assert status == 1
    assert expected in said


def test_a_wrong_word_leaves_an_earlier_export_as_it_was(export, finished, tmp_path):
    words = [finished.stage("segment"), "formats=safetensors", "output=out", *finished.data_words]
    status, said = export(*words)
    assert status == 0, said
    before = content(tmp_path / "out")
    status, said = export(*words, "example=nobody")
    assert status == 1
    assert "no evaluated image" in said
    assert content(tmp_path / "out") == before


def test_missing_libraries_are_named_before_anything_is_written(
    export, finished, tmp_path, monkeypatch
):
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None if name == "onnx" else name)
    status, said = export(finished.stage("segment"), "output=out")
    assert status == 1
    assert "pip install 'wsss[onnx]'" in said
    assert not (tmp_path / "out").exists()


def test_stages_that_are_gone_are_told_or_left_out(export, finished, tmp_path):
    moved = tmp_path / "runs" / "segment" / "one"
    shutil.copytree(finished.stage("segment"), moved)
    status, said = export(moved, "formats=irn")
    assert status == 1
    assert "no finished `localize` behind" in said
    status, said = export(moved, "formats=safetensors", "output=out")
    assert status == 0, said
    assert "No mask has been scored" in (tmp_path / "out" / "README.md").read_text("utf-8")
