"""Damaged files and full disks, in a whole run."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from wsss.artifacts import write_checksums, write_json
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.files import DamagedFileError
from wsss.pipeline import data_check
from wsss.pipeline.execution import DEVICES
from wsss.pipeline.fingerprints import Plan
from wsss.pipeline.repair import repaired

CHANGED = "refine.method.min_confidence=0.9"
"""Renews `refine`, so that it reads the seeds again."""


@pytest.fixture
def work_dir(finished, tmp_path):
    """A folder of runs in which all up to the pseudo masks is finished."""
    for stage in ("classify", "localize", "refine"):
        # Its own folder alone: other tests leave theirs beside it.
        folder = finished[stage].folder
        shutil.copytree(folder, tmp_path / stage / folder.name)
    return tmp_path


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    return path


def some_seed(work_dir):
    return next(work_dir.glob("localize/*/seeds/train_0003.npz"))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_seed_is_computed_anew(run, finished, content, work_dir, caplog, workers):
    seed = some_seed(work_dir)
    write_json(seed.parents[1] / DEVICES, ["NVIDIA H100"])  # As if a GPU had made the seeds.
    write_checksums(seed.parents[1])
    damage(seed)
    before = {path: path.stat().st_mtime_ns for path in seed.parent.iterdir() if path != seed}
    stages = "stages=[classify,localize,refine]"
    outcomes = run(work_dir, CHANGED, stages, f"workers={workers}", without=("workers",))
    assert f"{seed} is damaged" in caplog.text
    expected = content(finished["localize"].folder / "seeds")
    assert content(outcomes["localize"].folder / "seeds") == expected
    # A batch is computed as a whole, here of two images; all other files stay as they are.
    assert sum(path.stat().st_mtime_ns != then for path, then in before.items()) <= 1
    assert outcomes["classify"].cached
    assert outcomes["localize"].manifest.devices == ["NVIDIA H100", "cpu"]
    assert outcomes["refine"].manifest.failures == {}


def test_a_damaged_seed_of_a_stage_that_is_not_run_is_told_once(run, work_dir):
    seed = damage(some_seed(work_dir))
    with pytest.raises(WsssError, match=r"train_0003\.npz.*was removed. Run `localize` again"):
        run(work_dir, CHANGED, "stages=[refine]")
    outcomes = run(work_dir, CHANGED, "stages=[localize,refine]")
    assert seed.is_file()
    assert len(list((outcomes["refine"].folder / "masks").iterdir())) == 9


def test_a_damaged_mask_that_a_loader_reads_is_computed_anew(run, finished, content, work_dir):
    damage(next(work_dir.glob("refine/*/masks/train_0003.png")))
    outcomes = run(work_dir, "stages=[localize,refine,segment]", "segment.max_epochs=1")
    assert content(outcomes["refine"].folder / "masks") == content(
        finished["refine"].folder / "masks"
    )
    assert outcomes["segment"].manifest.numbers["train_loss"] > 0


def test_a_file_that_is_damaged_again_is_told_and_not_computed_for_ever(tmp_path):
    path = tmp_path / "localize" / "a.npz"
    plans = {"localize": Plan(path.parent, (), {})}
    calls = []

    def run_one(stage):
        calls.append(stage)
        raise DamagedFileError(path, "BadZipFile: no zip")

    with pytest.raises(DamagedFileError):
        repaired(run_one, ["localize"], plans, 1)
    assert calls == ["localize", "localize"]


@pytest.mark.parametrize("name", ["inspections.npz", "parts/train_0003.json"])
def test_a_damaged_note_of_the_data_check_is_written_again(tmp_path, name):
    source = Synthetic(num_train=4, num_val=1, size_px=64)
    data_check.inspect(source, tmp_path, 0)
    whole = (tmp_path / "inspections.npz").read_bytes()
    (tmp_path / "inspections.npz").unlink()
    (tmp_path / name).write_text("{", encoding="utf-8")
    data_check.inspect(source, tmp_path, 0)
    assert (tmp_path / "inspections.npz").read_bytes() == whole


@pytest.mark.parametrize("where", ["header", "middle"])
def test_a_damaged_segmenter_is_exported_anew(run, finished, tmp_path, caplog, where):
    for stage in ("classify", "localize", "refine", "segment"):
        folder = finished[stage].folder
        shutil.copytree(folder, tmp_path / stage / folder.name)
    (path,) = tmp_path.glob("segment/*/segmenter.safetensors")
    whole = path.read_bytes()
    content = bytearray(whole)
    content[whole.index(b"weight") if where == "header" else len(whole) // 2] ^= 1
    path.write_bytes(content)
    outcomes = run(tmp_path)
    assert f"{path} is damaged: `segment` computes it anew" in caplog.text
    assert path.read_bytes() == whole
    numbers = outcomes["evaluate"].manifest.numbers
    assert numbers == finished["evaluate"].manifest.numbers


def test_a_damaged_classifier_is_exported_anew(run, finished, content, tmp_path, caplog):
    folder = finished["classify"].folder
    shutil.copytree(folder, tmp_path / "classify" / folder.name)
    path = tmp_path / "classify" / folder.name / "classifier.safetensors"
    whole = path.read_bytes()
    damage(path)
    outcomes = run(tmp_path, "stages=[classify,localize]")
    assert f"{path} is damaged" in caplog.text
    assert path.read_bytes() == whole
    seeds = content(finished["localize"].folder / "seeds")
    assert content(outcomes["localize"].folder / "seeds") == seeds


def test_a_full_disk_ends_a_run_in_words_and_the_next_goes_on(run, work_dir, monkeypatch):
    write = Path.write_bytes

    def full(path, content):
        if path.name.endswith("classifier.safetensors"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    stage = ("stages=[classify]", "classify.max_epochs=2")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(WsssError, match=r"No space left on device.*what is finished is kept"):
            run(work_dir, *stage, without=("classify.max_epochs",))
    (folder,) = (
        one for one in work_dir.glob("classify/*/") if not (one / "manifest.json").exists()
    )
    features = {path: path.stat().st_mtime_ns for path in folder.glob("features/*")}
    (outcome,) = run(work_dir, *stage, without=("classify.max_epochs",)).values()
    assert outcome.folder == folder
    assert (folder / "classifier.safetensors").is_file()
    assert {path: path.stat().st_mtime_ns for path in features} == features
    assert len(features) == 14


def test_an_item_that_meets_a_full_disk_is_not_left_out(run, work_dir, monkeypatch):
    import numpy as np

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    next(work_dir.glob("localize/*/manifest.json")).unlink()
    some_seed(work_dir).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(np, "savez_compressed", full)
        with pytest.raises(WsssError, match=r"train_0003\.npz.*No space left"):
            run(work_dir, "stages=[localize]")
    outcomes = run(work_dir, "stages=[localize]")
    assert outcomes["localize"].manifest.numbers["images"] == 9
