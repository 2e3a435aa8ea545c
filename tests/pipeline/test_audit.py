"""`wsss audit` of tiny runs, end to end."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from wsss.artifacts import Manifest, RunRecord
from wsss.auditing import audit, examination
from wsss.auditing.checks.near_duplicate import Pair
from wsss.auditing.evidence_words import FLAGS, QUANTITIES
from wsss.auditing.finding import COLUMNS, KINDS
from wsss.auditing.finding_pictures import BOX
from wsss.auditing.request import configure, request_of
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.folder import Folder
from wsss.errors import user_error
from wsss.settings.build import build
from wsss.settings.compose import compose
from wsss.stage_tools.loaders import BATCH_SIZE

DATA = ("data=synthetic", "data.num_train=9", "data.num_val=5", "data.size_px=64")
FILES = {"audit.json", "audit.csv", "labels.corrected.csv", "index.html"}


@pytest.fixture
def audited(call_command, tmp_path, monkeypatch):
    """Audit a folder: `audited(folder, *words)` gives what was said, and the folder of results."""

    def call(folder, *words, output="here", status=0):
        monkeypatch.chdir(tmp_path)
        left, said = call_command(
            "audit", folder, f"output={output}", "workers=0", "device=cpu", *words
        )
        assert left == status, said
        return said, tmp_path / output

    return call


@pytest.fixture(scope="module")
def undisturbed(finished, tmp_path_factory) -> Path:
    """The audit of the finished run up to `refine`; not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "audit"
    words = [finished["refine"].folder, *DATA, f"output={folder}", "workers=0", "device=cpu"]
    cfg = configure([*map(str, words)])
    return audit.run(request_of(cfg), cfg.data).folder


@pytest.fixture
def before(undisturbed, tmp_path) -> Path:
    """A copy of that audit, which the fixture `audited` finds as its own."""
    return Path(shutil.copytree(undisturbed, tmp_path / "here"))


def results(folder: Path) -> dict[str, bytes]:
    """The bytes of all that an audit gives, without its cache."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "cache" not in path.relative_to(folder).parts[0]
    }


def changed(folder: Path) -> dict[Path, int]:
    """When each file of an audit was written; its lock does not count."""
    paths = (path for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".lock")
    return {path: path.stat().st_mtime_ns for path in paths}


def content(folder: Path) -> dict:
    return json.loads((folder / "audit.json").read_text(encoding="utf-8"))


def test_an_audit_has_the_form_that_other_programs_read(audited, finished):
    said, folder = audited(finished["evaluate"].folder, *DATA)
    found = content(folder)
    source = build(compose("run", [*DATA]).data)
    ids = {item.id for split in (TRAIN, VAL) for item in source.items(split)}
    assert (found["images"], found["splits"], found["left_out"]) == (14, {"train": 9, "val": 5}, {})
    assert (found["finished"], found["folds"], found["seed"]) == (True, 5, 0)
    assert found["run"]["data_fingerprints"] == {
        split: source.fingerprint(split) for split in (TRAIN, VAL)
    }
    assert found["run"]["saw_masks"] is False
    assert found["class_names"] == [*source.class_names]
    assert tuple(found["checks"]) == KINDS
    for stage in ("classify", "refine"):
        assert found["run"]["stages"][stage] == finished[stage].folder.name
    with (folder / "audit.csv").open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    assert {*rows[0]} == {*COLUMNS}
    told = [(kind, one) for kind, check in found["checks"].items() for one in check["findings"]]
    assert len(rows) == len(told) > 0
    for row, (kind, one) in zip(rows, told, strict=True):
        assert (row["kind"], row["image"], row["label"]) == (
            kind, one["image"] or "", one["label"] or ""
        )  # fmt: skip
        assert row["flagged"] == str(one["flagged"]).lower()
    for kind, check in found["checks"].items():
        scores = [one["score"] for one in check["findings"]]
        assert scores == sorted(scores, reverse=True)
        assert check["flagged"] == sum(one["flagged"] for one in check["findings"])
        assert check["rule"].endswith(".")
        for one in check["findings"]:
            assert 0 <= one["score"] <= 1
            assert one["advice"].endswith(".")
            assert one["image"] in {*ids, None}
            assert one["label"] in {*source.class_names, None}
            assert all(np.isfinite([*one["evidence"].values()]))
            assert {*one["evidence"]} <= {*QUANTITIES, *FLAGS, *BOX}
        assert str(check["flagged"]) in said, kind
    flagged = {one["image"] for _, one in told if one["flagged"]} - {None}
    for item_id in flagged:
        with np.load(folder / "evidence" / f"{item_id}.npz", allow_pickle=False) as kept:
            assert kept["maps"].dtype == np.float16
            assert kept["maps"].ndim == 3
            assert len(kept["maps"]) == len(kept["classes"])
    # What is proposed are the same images; tags that differ are told with what they were.
    tags = {
        item.id: {source.class_names[label - 1] for label in item.labels}
        for split in (TRAIN, VAL)
        for item in source.items(split)
    }
    with (folder / "labels.corrected.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            before = {*row["was" if row["was"] else "labels"].split("|")} - {""}
            assert before == tags.pop(row["image"])
    assert not tags
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "://" not in page.replace("http://www.w3.org", "")


def test_a_finished_audit_is_not_computed_again_and_a_fresh_one_is_equal(audited, finished, before):
    written = changed(before)
    said, folder = audited(finished["refine"].folder, *DATA)
    assert folder == before
    assert "Nothing was computed" in said
    assert changed(folder) == written
    said, fresh = audited(finished["refine"].folder, *DATA, output="fresh")
    assert "Nothing was computed" not in said
    assert results(fresh) == results(folder)


def test_other_settings_replace_an_audit_in_the_same_folder(audited, finished, before, undisturbed):
    audited(finished["refine"].folder, *DATA, "folds=4")
    assert results(before) != results(undisturbed)
    audited(finished["refine"].folder, *DATA)
    assert results(before) == results(undisturbed)


@pytest.mark.slow
def test_killed_it_goes_on_and_ends_with_the_same_bytes(audited, finished, undisturbed, tmp_path):
    words = ["audit", finished["refine"].folder, *DATA, "output=killed", "workers=0", "device=cpu"]
    folder, moments = tmp_path / "killed", (("looks", 3), ("seen", 5))
    for name, count in moments:
        process = subprocess.Popen(
            [sys.executable, "-m", "wsss", *map(str, words)],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while len([*(folder / "cache" / name).rglob("[!.]*.npz")]) < count:
            assert process.poll() is None, process.stdout.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (folder / "audit.json").exists()
    npz = {path: one for path, one in changed(folder / "cache").items() if path.suffix == ".npz"}
    left = {path: one for path, one in npz.items() if "tmp~" not in path.name}
    assert len(left) >= 14 + 5
    audited(finished["refine"].folder, *DATA, output="killed")
    assert results(folder) == results(undisturbed)
    again = {
        path.relative_to(folder / "cache").parts[0]
        for path, one in left.items()
        if path.stat().st_mtime_ns != one
    }
    assert again <= {"seen"}  # The batch that it was killed in is computed as a whole.
    assert sum(path.stat().st_mtime_ns != one for path, one in left.items()) < BATCH_SIZE
    assert not [*folder.rglob("*tmp~*")]


def test_a_deleted_page_is_written_again_from_what_is_there(audited, finished, before, undisturbed):
    (before / "index.html").unlink()
    looked = {path: path.stat().st_mtime_ns for path in (before / "cache").rglob("*.npz")}
    audited(finished["refine"].folder, *DATA)
    assert results(before) == results(undisturbed)
    assert looked == {path: path.stat().st_mtime_ns for path in looked}


def test_without_refined_objects_the_maps_tell_objects_from_their_surroundings(audited, finished):
    _, folder = audited(finished["classify"].folder, *DATA)
    found = content(folder)
    assert "refine" not in found["run"]["stages"]
    background = found["checks"]["background_evidence"]["findings"]
    assert all("outside" not in one["evidence"] for one in background)
    assert found["images"] == 14


def test_a_classifier_of_ones_own_can_be_audited_with(audited, finished, run, tmp_path):
    outcomes = run(
        tmp_path / "runs", "classify=given", f"classify.checkpoint={finished['classify'].folder}",
        "stages=[classify]", without=("classify.",),
    )  # fmt: skip
    _, folder = audited(outcomes["classify"].folder, *DATA)
    _, trained = audited(finished["classify"].folder, *DATA, output="trained")
    ours, theirs = content(folder), content(trained)
    # Its features are computed here, those of the other were stored by its training.
    for kind in ("wrong_tag", "missing_tag", "near_duplicate", "fixed_position"):
        first, second = (
            {(one["image"], one["label"], one["other"]): one["score"] for one in findings}
            for findings in (one["checks"][kind]["findings"] for one in (ours, theirs))
        )
        assert first == pytest.approx(second, abs=1e-3)


@pytest.fixture
def pets(write_folder):
    """Twelve images to train on and four for validation."""
    images = {
        f"{name}{number}.jpg": labels
        for number in range(8)
        for name, labels in (("cat", ["cat"]), ("dog", ["dog"]))
    }
    val = [f"{name}{number}" for name in ("cat", "dog") for number in (6, 7)]
    ids = [Path(one).stem for one in images]
    splits = {"train": [one for one in ids if one not in val], "val": val}
    root = write_folder(images, splits=splits, size=(48, 64))
    rng = np.random.default_rng(0)  # Pictures that are no near-duplicates of each other.
    for path in (root / "images").iterdir():
        with Image.open(path) as image:
            noise = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
            ground = Image.fromarray(noise).resize(image.size, Image.Resampling.BICUBIC)
            Image.blend(image, ground, 0.5).save(path)
    return root


def test_an_image_that_cannot_be_read_is_left_out_and_told(
    audited, run_on, pets, tmp_path, monkeypatch
):
    (pets / "images" / "cat3.jpg").write_bytes(b"no picture")
    outcomes = run_on(
        pets, tmp_path / "runs", "stages=[classify]", "max_failed_fraction=0.2"
    )  # fmt: skip
    words = ("data=folder", f"data.root={pets}")
    read_image = Folder.read_image

    def break_another(source, item):
        if item.id == "dog2":
            raise user_error(item.id, "a bad sector", "a readable file", "Replace the disk.")
        return read_image(source, item)

    monkeypatch.setattr(Folder, "read_image", break_another)
    said, folder = audited(outcomes["classify"].folder, *words)
    found = content(folder)
    assert {*found["left_out"]} == {"cat3", "dog2"}
    assert (found["images"], found["splits"]) == (14, {"train": 10, "val": 4})
    page = (folder / "index.html").read_text(encoding="utf-8")
    for item_id in ("cat3", "dog2"):
        assert f"left out: {item_id}:" in said
        assert f'<dt dir="auto">{item_id}</dt>' in page
    with (folder / "labels.corrected.csv").open(encoding="utf-8", newline="") as stream:
        assert len([*csv.DictReader(stream)]) == 16  # A proposal loses no image.


def test_an_image_that_fails_later_is_not_counted_as_examined(
    audited, run_on, pets, tmp_path, monkeypatch
):
    """Its pixels and its size were read, and its features are there; then its file is gone."""
    outcomes = run_on(pets, tmp_path / "runs", "stages=[classify]")
    read_image, reads = Folder.read_image, []

    def break_later(source, item):
        if item.id == "dog2":
            reads.append(item)
            if len(reads) > 2:
                raise user_error(item.id, "a bad sector", "a readable file", "Replace the disk.")
        return read_image(source, item)

    monkeypatch.setattr(Folder, "read_image", break_later)
    _, folder = audited(outcomes["classify"].folder, "data=folder", f"data.root={pets}")
    found = content(folder)
    assert {*found["left_out"]} == {"dog2"}
    assert (found["images"], found["splits"]) == (15, {"train": 11, "val": 4})
    with np.load(folder / "evidence" / "out_of_fold.npz") as kept:
        assert len(kept["ids"]) == len(kept["best_cells"]) == len(kept["probabilities"]) == 15
        assert "dog2" not in kept["ids"]


def test_an_image_that_can_be_read_again_renews_what_the_heads_of_other_folds_saw(
    audited, run_on, pets, tmp_path, monkeypatch
):
    outcomes = run_on(pets, tmp_path / "runs", "stages=[classify]")
    words = (outcomes["classify"].folder, "data=folder", f"data.root={pets}")
    _, whole = audited(*words, output="whole")
    read_image = Folder.read_image

    def break_one(source, item):
        if item.id == "dog2":
            raise user_error(item.id, "no network", "a readable file", "Wait for it.")
        return read_image(source, item)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "read_image", break_one)
        patch.setattr(audit, "write_proposal", die)
        _, folder = audited(*words, status=130)
    (before,) = (folder / "cache" / "seen").iterdir()
    audited(*words)
    assert results(folder) == results(whole)
    (after,) = (folder / "cache" / "seen").iterdir()
    assert after.name != before.name


def test_pictures_that_are_all_alike_are_refused(audited, finished, monkeypatch):
    """As of a camera that does not move: near-duplicates stay in one fold, and none is left."""

    def chain(thumbnails, *_):
        return [Pair(n, n + 1, 1.0) for n in range(len(thumbnails) - 1)]

    monkeypatch.setattr(examination, "alike", chain)
    said, folder = audited(finished["classify"].folder, *DATA, "folds=2", status=1)
    assert "make 1 fold only" in " ".join(said.split())
    assert not (folder / "audit.json").exists()


def test_an_audit_whose_cache_was_removed_begins_anew(audited, finished, before, undisturbed):
    shutil.rmtree(before / "cache")
    audited(finished["refine"].folder, *DATA)
    assert results(before) == results(undisturbed)


def test_a_run_that_knows_its_data_set_needs_no_more_and_has_audits_beside_its_stages(
    call_command, run_on, pets, tmp_path, monkeypatch
):
    outcomes = run_on(pets, tmp_path / "runs", "stages=[classify]")
    record = RunRecord(["seed=1"], "finished")
    log = tmp_path / "runs" / "logs" / "one"
    record.note_stages(log, {"classify": outcomes["classify"].folder})
    record.data = OmegaConf.to_container(
        compose("run", ["data=folder", f"data.root={pets}"]).data, resolve=True
    )
    record.write(log)
    monkeypatch.chdir(tmp_path)
    status, said = call_command("audit", log, "workers=0", "device=cpu", "--folds", 4)
    assert status == 0, said
    (folder,) = (path for path in (tmp_path / "runs" / "audit").iterdir() if path.is_dir())
    assert {*FILES} <= {path.name for path in folder.iterdir()}
    # The proposal is read back as a data set.
    shutil.copy(folder / "labels.corrected.csv", pets / "labels.csv")
    assert {item.id for item in Folder(pets).items(TRAIN)} == {
        item.id for item in build(OmegaConf.create(record.data)).items(TRAIN)
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data.num_train=8"], "others now"),
        (["folds=1"], "folds=1"),
        (["folds=8"], "two images a fold"),
        (["folds=many"], "folds"),
        (["seed=-1"], "seed"),
        (["device=tpu"], "device=tpu"),
        (["fold=3"], "fold"),
        (["runs/other"], "2 folders"),
    ],
)
def test_what_cannot_be_audited_is_told(audited, finished, words, told):
    said, folder = audited(finished["classify"].folder, *DATA, *words, status=1)
    assert told in said
    assert not (folder / "audit.json").exists()


def test_folders_that_are_no_run_are_told(call_command, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for words, told in (
        ((), "0 folders"),
        (("empty",), "no run here"),
        ((finished["classify"].folder,), "does not know its data set"),
    ):
        status, said = call_command("audit", *words)
        assert (status, told in said) == (1, True), said


def test_seeds_alone_have_no_classifier(audited, finished, tmp_path):
    place = tmp_path / "given" / "localize" / finished["localize"].folder.name
    shutil.copytree(finished["localize"].folder, place)  # Without what it was computed from.
    assert Manifest.read(place) is not None
    said, _ = audited(place, *DATA, status=1)
    assert "a run without a classifier" in said


@pytest.mark.parametrize("name", ["audit.json", "index.html", "evidence/mine.npz", "cache/mine"])
def test_files_of_another_program_are_kept(audited, finished, tmp_path, name):
    path = tmp_path / "here" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    said, _ = audited(finished["classify"].folder, *DATA, status=1)
    assert "did not write" in said
    assert path.read_text() == "mine"


def test_an_audit_is_told_when_it_is_interrupted(audited, finished, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(audit, "write_page", die)
        said, folder = audited(finished["classify"].folder, *DATA, status=130)
    assert "same command" in said
    assert content(folder)["finished"] is False
    said, _ = audited(finished["classify"].folder, *DATA)
    assert "Nothing was computed" not in said
    assert (folder / "index.html").is_file()
