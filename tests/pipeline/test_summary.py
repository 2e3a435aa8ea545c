"""`wsss explain --summary` of a tiny run, end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from wsss.artifacts import LabelStore, RunRecord
from wsss.data.pyramids import Scales, rescale
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.explain.summary import summarise
from wsss.metrics.confusion import confusion_matrix
from wsss.models.saved_classifier import load_finished
from wsss.settings.build import build
from wsss.settings.compose import compose

DATA = ("data=synthetic", "data.num_train=9", "data.num_val=5", "data.size_px=64")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(summarise, "usable_cores", lambda: 0)


@pytest.fixture
def summary_of(call_command, tmp_path, monkeypatch, finished):
    """Summarise the finished run: `summary_of(*words)` gives what it said and its numbers."""

    def call(*words, stage="evaluate", status=0):
        monkeypatch.chdir(tmp_path)
        folder = finished[stage].folder
        left, said = call_command(
            "explain", "--summary", folder, *DATA, "device=cpu", "output=here", *words
        )
        assert left == status, said
        path = tmp_path / "here" / "summary.json"
        return said, json.loads(path.read_text()) if path.is_file() else {}

    return call


@pytest.fixture
def source():
    return build(compose("run", [*DATA]).data)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.*")
        if path.is_file() and path.suffix != ".lock"
    }


def probabilities(source, folder):
    """Of all images, at their own size, one after the other."""
    model, _ = load_finished(folder)
    found = {}
    for split in (TRAIN, VAL):
        for item in source.items(split):
            image = source.read_image(item)
            image = rescale(image, *Scales().sizes(image.shape[:2]))
            with torch.no_grad():
                seen = model(torch.from_numpy(image).permute(2, 0, 1)[None] / 255).sigmoid()[0]
            found[item.id] = (item.labels, seen.numpy())
    return found


def test_confusions_by_tags_are_those_of_the_classifier(summary_of, source, finished, monkeypatch):
    def refuse(*_):
        raise AssertionError("a mask was opened")

    monkeypatch.setattr(Synthetic, "read_mask", refuse)
    said, summary = summary_of()
    found = summary["networks"]["classifier"]
    assert found["images"] == 14
    assert not summary["oracle"]
    assert "oracle" not in said
    expected: dict[str, set[str]] = {}
    for item_id, (tags, seen) in probabilities(source, finished["classify"].folder).items():
        missed = [tag for tag in tags if seen[tag - 1] < 0.5]
        others = [label for label, one in enumerate(seen, 1) if one >= 0.5 and label not in tags]
        names = source.class_names
        for row in missed or tags:
            for other in others:
                title = f"{names[row - 1]} taken for {names[other - 1]}"
                expected.setdefault(title, set()).add(item_id)
            if row in missed and not others:
                expected.setdefault(f"{names[row - 1]} not seen", set()).add(item_id)
    assert {one["cell"]: {*one["images"]} for one in found["confusion"]} == expected
    assert expected  # four epochs do not suffice
    counts = [one["count"] for one in found["confusion"]]
    assert counts == sorted(counts, reverse=True)


def test_every_class_has_its_mean_map_and_the_page_all_pictures(summary_of, source, tmp_path):
    _, summary = summary_of()
    tags = [label for item in source.items(TRAIN) for label in item.labels]
    assert {
        name: one["images"] for name, one in summary["networks"]["classifier"]["classes"].items()
    } == {source.class_names[label - 1]: tags.count(label) for label in sorted({*tags})}
    folder = tmp_path / "here"
    page = (folder / "index.html").read_text(encoding="utf-8")
    sections = ("mean_maps", "failure_groups", "confusion")
    anchors = [page.index(f'<section id="{one}"') for one in sections]
    anchors += [page.index(f'<section id="segmenter_{one}"') for one in sections]
    assert anchors == sorted(anchors)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'class="badge oracle"' not in page
    for network in ("classifier", "segmenter"):
        assert f"{network}/mean_maps.png" in page
        assert (folder / network / "mean_maps.png").is_file()
    with Image.open(folder / "classifier" / "mean_maps.png") as sheet:
        assert sheet.width > 600  # four pictures side by side
    cells = summary["networks"]["classifier"]["confusion"]
    assert len([*(folder / "classifier" / "confusion").glob("*.png")]) == min(24, len(cells))
    groups = summary["networks"]["classifier"]["groups"]
    assert len([*(folder / "classifier" / "groups").glob("*.png")]) == min(16, len(groups))
    assert all(one["images"] >= 3 for one in groups)


def test_by_masks_pixels_are_those_of_the_evaluation_and_stamped(
    summary_of, source, finished, tmp_path
):
    said, summary = summary_of("by=masks")
    assert summary["oracle"]
    assert "oracle" in said
    page = (tmp_path / "here" / "index.html").read_text(encoding="utf-8")
    assert page.count('class="badge oracle"') >= 4  # groups and confusion of both networks
    names = ["background", *source.class_names]
    where = {
        "classifier": (TRAIN, finished["refine"].folder / "masks"),
        "segmenter": (VAL, finished["evaluate"].folder / "predictions" / "val"),
    }
    for network, (split, folder) in where.items():
        items, masks = source.items(split), LabelStore(folder)
        total = sum(
            confusion_matrix(masks.read(item), source.read_mask(item), len(names) - 1)
            for item in items
        )
        found = summary["networks"][network]
        assert found["images"] == len(items)
        assert {one["cell"]: one["pixels"] for one in found["confusion"]} == {
            f"{names[true]} taken for {names[label]}": int(total[true, label])
            for true, label in np.argwhere(total[:, :-1])
            if true != label
        }


def test_a_summary_that_is_there_is_not_computed_again(summary_of, tmp_path):
    summary_of()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "here").rglob("*.*")}
    said, _ = summary_of()
    assert "(cached)" in said
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "here").rglob("*.*")}
    assert {path: one for path, one in after.items() if path.suffix != ".lock"} == {
        path: one for path, one in before.items() if path.suffix != ".lock"
    }


def test_a_killed_summary_goes_on_and_ends_with_the_same_bytes(summary_of, tmp_path, monkeypatch):
    summary_of()
    folder = tmp_path / "here"
    expected = contents(folder)
    for path in sorted((folder / "evidence" / "classifier").iterdir())[::2]:
        path.unlink()
    (folder / "index.html").unlink()

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(summarise, "write_page", die)
        summary_of(status=130)
    assert not json.loads((folder / "summary.json").read_text())["finished"]
    evidence = [*(folder / "evidence").rglob("*.npz")]
    looked_at = [path.stat().st_mtime_ns for path in evidence]
    said, _ = summary_of()
    assert "(cached)" not in said
    assert contents(folder) == expected
    assert [path.stat().st_mtime_ns for path in evidence] == looked_at


def test_another_summary_in_the_same_folder_replaces_it(summary_of, tmp_path):
    summary_of("by=masks")
    summary_of()
    fresh = contents(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "first")
    summary_of()
    assert contents(tmp_path / "here") == fresh


def test_a_run_that_knows_its_data_set_needs_no_more(call_command, finished, tmp_path, monkeypatch):
    record = RunRecord(["seed=1"], "finished")
    stages = ("classify", "localize", "refine")
    log = tmp_path / "logs" / "one"
    record.note_stages(log, {stage: finished[stage].folder for stage in stages})
    record.data = OmegaConf.to_container(compose("run", [*DATA]).data, resolve=True)
    record.write(log)
    monkeypatch.chdir(tmp_path)
    status, said = call_command("explain", f"summary={log}")
    assert status == 0, said
    (folder,) = (path for path in (tmp_path / "runs" / "explain").iterdir() if path.is_dir())
    assert [*json.loads((folder / "summary.json").read_text())["networks"]] == ["classifier"]


@pytest.mark.parametrize(
    ("words", "stage", "told"),
    [
        (["cat.jpg"], "refine", "a setting that `summary=…` does not take"),
        (["cam=gradcam"], "refine", "a setting that `summary=…` does not take"),
        (["by=masks"], "refine", "without `evaluate`"),
        ([], "classify", "without `localize`"),
        (["data.num_train=8"], "refine", "others now"),
        (["by=mask"], "refine", "by=mask"),
    ],
)
def test_what_cannot_be_summarised_is_told(summary_of, words, stage, told):
    said, _ = summary_of(*words, stage=stage, status=1)
    assert told in said


def test_a_stage_does_not_know_its_data_set(call_command, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = call_command("explain", "--summary", finished["refine"].folder)
    assert status == 1
    assert "does not know its data set" in said


def test_a_file_of_another_program_is_kept(summary_of, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "summary.json").write_text('{"total": 3}')
    said, content = summary_of(status=1)
    assert "did not write" in said
    assert content == {"total": 3}
