"""A flipped bit in a finished artefact: found when it is first read, named, and computed anew."""

import shutil

import pytest

from wsss.artifacts import read_json

SEED = "seeds/train_0003.npz"
KINDS = [
    ("classify", "localize", ["classifier.safetensors"]),
    ("classify", "localize", ["classifier.json"]),
    ("localize", "evaluate", [SEED]),
    ("affinity", "propagate", ["affinity_heads.safetensors"]),
    ("affinity", "propagate", ["affinity_heads.json", "labels/train_0003.png"]),
    ("propagate", "evaluate", [SEED]),
    ("refine", "evaluate", ["masks/train_0003.png", "statistics/train_0005.json"]),
    ("segment", "evaluate", ["segmenter.safetensors"]),
    ("segment", "evaluate", ["segmenter.json"]),
    ("evaluate", "report", ["metrics.json", "confusions.npz", "counts/train/train_0003.npz"]),
    ("evaluate", "report", ["images.json"]),
    ("evaluate", "report", ["gallery.json"]),
    ("evaluate", "report", ["predictions/val/{shown}.png"]),
    ("localize", "report", ["manifest.json"]),
    ("segment", "report", ["manifest.json"]),
]
"""A stage, the one that then reads of it first, and what it has left: the first of these is read,
and the others are found as well when the stage goes on."""


@pytest.mark.minutes
@pytest.mark.parametrize(("stage", "reader", "files"), KINDS)
def test_of_every_kind(
    start, whole, copied, of_affinity, kept, flip, said, results, tmp_path, stage, reader, files
):
    copied(whole, tmp_path, without=[reader, "report"])
    before = kept(tmp_path)
    gallery = read_json(next(whole.glob("evaluate/*/gallery.json")))["val"]  # Others nobody reads.
    names = [name.format(shown=gallery["best"][0]) for name in files]
    first, *others = [flip(next(tmp_path.glob(f"{stage}/*/{name}"))) for name in names]
    process = start(tmp_path, *of_affinity)
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    text = said(process)
    assert text.count(said(f"{first} is damaged: `{stage}` computes it anew")) == 1
    for path in others:
        assert text.count(said(f"{path} is damaged: it is computed anew")) == 1
    assert results(tmp_path) == results(whole)
    now = kept(tmp_path)
    of_others = [path for path in before if stage not in path.parts]
    assert [now[path] for path in of_others] == [before[path] for path in of_others]


@pytest.mark.minutes
def test_in_the_checksums(start, whole, copied, of_affinity, flip, results, tmp_path):
    copied(whole, tmp_path, without=["evaluate", "report"])
    for path in tmp_path.glob("*/*/checksums.b2sum"):
        flip(path)
    process = start(tmp_path, *of_affinity)
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    assert results(tmp_path) == results(whole)


def test_of_all_stages_at_once(start, finished, copied, flip, said, results, tmp_path):
    """Each is met by the stage that reads it, back to the first, which lost its checkpoint, too."""
    whole = finished["classify"].folder.parents[1]
    for stage, outcome in finished.items():
        if stage != "report":
            shutil.copytree(outcome.folder, tmp_path / stage / outcome.folder.name)
    shutil.copytree(whole / "check", tmp_path / "check")
    found = [
        ("classify", "classifier.safetensors"),
        ("localize", SEED),
        ("refine", "masks/train_0003.png"),
        ("segment", "segmenter.safetensors"),
        ("evaluate", "metrics.json"),
        ("classify", "checkpoints/epoch=0003.ckpt"),
        ("segment", "checkpoints/epoch=0001.ckpt"),
        ("evaluate", "predictions/val/val_0002.png"),
        ("evaluate", "counts/val_predictions/val_0004.npz"),
    ]
    damaged = [flip(tmp_path / stage / finished[stage].folder.name / name) for stage, name in found]
    process = start(tmp_path)
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    text = said(process)
    for path in damaged:
        assert said(f"{path} is damaged") in text or said(f"{path}: the file is damaged") in text
    expected = {
        name: one
        for name, one in results(whole).items()
        if name.split("/")[1] in {outcome.folder.name for outcome in finished.values()}
    }
    assert results(tmp_path) == expected


@pytest.mark.minutes
def test_in_the_notes_of_the_data_check(start, whole, copied, of_affinity, flip, said, tmp_path):
    copied(whole, tmp_path, until="localize")
    (notes,) = tmp_path.glob("check/*/inspections.*")
    part = next(tmp_path.glob("check/*/parts/*.json"))
    expected = notes.read_bytes(), part.read_bytes()
    flip(notes)
    flip(part)
    process = start(tmp_path, *of_affinity, "stages=[localize]")
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    for path in (notes, part):
        assert said(f"{path} is damaged: the images are checked again") in said(process)
    assert (notes.read_bytes(), part.read_bytes()) == expected
