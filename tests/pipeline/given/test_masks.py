"""Runs that start from the user's own pseudo masks."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from wsss.errors import WsssError
from wsss.stages import CHAIN

NO_REFINEMENT = ("refine.method",)
GIVEN_MASKS = ("segment", "evaluate", "report")


@pytest.fixture
def masks(finished, tmp_path):
    """A folder with the masks of a finished run, as another program would save them: plain grey."""
    folder = tmp_path / "my_masks"
    folder.mkdir()
    for path in (finished["refine"].folder / "masks").glob("*.png"):
        with Image.open(path) as picture:
            Image.fromarray(np.array(picture)).save(folder / path.name)
    return folder


@pytest.fixture
def with_masks(run, tmp_path):
    def start(folder, *words):
        given = ("refine=given", f"refine.masks={folder}", *words)
        return run(tmp_path / "runs", *given, without=NO_REFINEMENT)

    return start


def test_given_masks_are_learned_from_as_those_of_a_run(finished, with_masks, masks, content):
    outcomes = with_masks(masks)
    assert tuple(outcomes) == ("classify", "refine", *GIVEN_MASKS)
    for stage, part in (("refine", "masks"), ("evaluate", "predictions")):
        expected = content(finished[stage].folder / part)
        assert content(outcomes[stage].folder / part) == expected
    segmenters = [runs["segment"].folder / "segmenter.safetensors" for runs in (finished, outcomes)]
    assert segmenters[0].read_bytes() == segmenters[1].read_bytes()
    ours, theirs = (
        json.loads((runs["evaluate"].folder / "metrics.json").read_text())["subjects"]
        for runs in (outcomes, finished)
    )
    assert [*ours] == ["pseudo_masks", "segmenter", "segmenter_tta_crf"]
    assert ours["pseudo_masks"].pop("label") == "given pseudo masks"
    for name, scores in ours.items():
        assert scores.items() <= theirs[name].items()
    page = (outcomes["report"].folder / "report.html").read_text()
    assert "Learnt from given pseudo masks of 8 classes" in page
    assert "refine, given" in page


def test_paths_of_given_masks_do_not_matter_but_every_pixel_does(with_masks, masks, tmp_path):
    chosen = "stages=[refine]"
    first = with_masks(masks, chosen)["refine"]
    shutil.copytree(masks, tmp_path / "moved")
    assert with_masks(tmp_path / "moved", chosen)["refine"].cached
    path = masks / "train_0004.png"
    with Image.open(path) as picture:
        labels = np.array(picture)
    labels[-1, -1] = 255
    Image.fromarray(labels).save(path)
    again = with_masks(masks, chosen)["refine"]
    assert not again.cached
    assert again.folder != first.folder
    with Image.open(again.folder / "masks" / path.name) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.array(picture), labels)


def test_masks_of_other_images_are_none_of_the_run(with_masks, masks):
    first = with_masks(masks, "stages=[refine]")["refine"]
    (masks / "another.png").write_bytes(b"no mask")
    assert with_masks(masks, "stages=[refine]")["refine"].folder == first.folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda mask: mask[:-1], "a mask of 51 × 76 px for an image of 51 × 77 px"),
        (lambda mask: np.full_like(mask, 9), "a mask with unknown values: 9"),
        (lambda mask: np.stack([mask] * 3, axis=-1), "a mask of colours"),
        (lambda mask: np.arange(mask.size, dtype=np.uint8).reshape(mask.shape) % 9, "not tagged"),
    ],
)
def test_a_wrong_mask_is_told_with_its_path(with_masks, masks, change, said):
    path = masks / "train_0000.png"
    with Image.open(path) as picture:
        changed = change(np.array(picture))
    Image.fromarray(changed).save(path)
    with pytest.raises(WsssError, match=rf"1 of 9 items .*train_0000\.png: .*{said}"):
        with_masks(masks)


def test_pixels_of_untagged_classes_can_be_left_out(with_masks, masks, finished):
    path = masks / "train_0000.png"
    tags = np.load(finished["localize"].folder / "seeds" / "train_0000.npz")["classes"]
    other = next(label for label in range(1, 9) if label not in tags)
    with Image.open(path) as picture:
        labels = np.array(picture)
    labels[:5] = other
    Image.fromarray(labels).save(path)
    outcome = with_masks(masks, "refine.untagged=void", "stages=[refine]")["refine"]
    with Image.open(outcome.folder / "masks" / path.name) as picture:
        np.testing.assert_array_equal(np.array(picture), np.where(labels == other, 255, labels))


def test_missing_masks_are_told_before_anything_is_computed(with_masks, masks, tmp_path):
    for number in (1, 2):
        (masks / f"train_000{number}.png").unlink()
    with pytest.raises(WsssError, match=r"refine\.masks=.*2 training images of 9: 'train_0001'"):
        with_masks(masks)
    assert not (tmp_path / "runs" / "refine").exists()
    outcomes = with_masks(masks, "max_failed_fraction=0.3")
    assert outcomes["refine"].manifest.numbers["images"] == 7
    assert {*outcomes["refine"].manifest.failures} == {"train_0001", "train_0002"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.mkdir(), "an empty folder"),
        (
            lambda folder: (folder.mkdir(), (folder / "0.png").touch()),
            r"no file of a training image among '0\.png'\. Expected .*train_0000\.png",
        ),
    ],
)
def test_a_folder_without_any_mask(with_masks, tmp_path, make, said):
    make(tmp_path / "masks")
    with pytest.raises(WsssError, match=rf"refine\.masks=.*masks: {said}"):
        with_masks(tmp_path / "masks")


def test_ground_truth_is_no_pseudo_mask(pets, run, tmp_path):
    tiny = ("data=folder", f"data.root={pets}", "refine=given")
    with pytest.raises(WsssError, match="these are the ground-truth masks of the data set"):
        run(tmp_path, *tiny, f"refine.masks={pets / 'masks'}", tiny=())
    (tmp_path / "linked").symlink_to(pets / "masks")
    with pytest.raises(WsssError, match="these are the ground-truth masks of the data set"):
        run(tmp_path, *tiny, f"refine.masks={tmp_path / 'linked'}", tiny=())


def test_what_learns_from_copies_of_ground_truth_is_stamped(pets, run, tmp_path):
    shutil.copytree(pets / "masks", tmp_path / "copies")
    words = (
        "data=folder", f"data.root={pets}", "refine=given", f"refine.masks={tmp_path / 'copies'}",
        "segmenter.decoder_channels=16", "segment.max_epochs=1", "segment.batch_size=4",
        "segment.augmentation.crop_px=64", "evaluate.scales.factors=[1.0]",
    )  # fmt: skip
    outcomes = run(tmp_path / "runs", *words, tiny=())
    subjects = json.loads((outcomes["evaluate"].folder / "metrics.json").read_text())["subjects"]
    assert {name: scores["oracle"] for name, scores in subjects.items()} == {
        "pseudo_masks": True, "segmenter": True, "segmenter_tta_crf": True,
    }  # fmt: skip


REFUSING = """
from wsss.data.sources.folder.folder import Folder

class RefusingTheMasks(Folder):
    def read_mask(self, item):
        raise AssertionError(f"the mask of {item.id} was opened")
"""


def test_given_masks_are_taken_without_a_look_at_the_ground_truth(pets, run, tmp_path, monkeypatch):
    (tmp_path / "refusing_the_masks.py").write_text(REFUSING)
    monkeypatch.syspath_prepend(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    for name in (f"{name}{number}" for name in ("cat", "dog") for number in range(3)):
        Image.fromarray(np.zeros((48, 64), np.uint8)).save(own / f"{name}.png")
    data = ("data=folder", f"data.root={pets}", "refine=given", f"refine.masks={own}")
    run(tmp_path / "runs", *data, "stages=[]", tiny=())  # The data check may look at masks.
    refusing = (*data, "data._target_=refusing_the_masks.RefusingTheMasks")
    assert run(tmp_path / "runs", *refusing, "stages=[refine]", tiny=())["refine"]


def test_a_stage_that_leads_to_nothing_but_given_results_cannot_be_chosen(with_masks, masks):
    with pytest.raises(WsssError, match="given seeds or masks switch off"):
        with_masks(masks, "stages=[localize]")
    chosen = f"stages=[{','.join(CHAIN[: CHAIN.index('refine') + 1])}]"
    assert tuple(with_masks(masks, chosen, "segment.classifier_weight=0")) == ("refine",)
