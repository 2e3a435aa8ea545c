"""Runs that start from the user's own classifier, seeds or pseudo masks."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

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
    assert tuple(outcomes) == ("refine", *GIVEN_MASKS)
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


@pytest.fixture
def pets(write_folder):
    images = {f"{name}{n}.jpg": [name] for n in range(4) for name in ("cat", "dog")}
    splits = {
        "train": [f"{name}{n}" for name in ("cat", "dog") for n in range(3)],
        "val": ["cat3", "dog3"],
    }
    return write_folder(images, masks=True, splits=splits, size=(48, 64))


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


@pytest.fixture
def seeds(finished, tmp_path):
    """The seeds of a finished run in IRN's layout, as its authors write them: tensors."""
    folder = tmp_path / "my_seeds"
    folder.mkdir()
    for path in (finished["localize"].folder / "seeds").glob("*.npz"):
        with np.load(path) as own:
            keys = torch.from_numpy(own["classes"].astype(np.int64)) - 1
            cam = torch.from_numpy(own["maps"].astype(np.float32))
            high = np.kron(own["maps"], np.ones((4, 4), np.float32))
        np.save(folder / f"{path.stem}.npy", {"keys": keys, "cam": cam, "high_res": high})
    return folder


@pytest.fixture
def with_seeds(run, tmp_path):
    def start(folder, *words):
        given = ("localize=given", f"localize.folder={folder}", *words)
        return run(tmp_path / "runs", *given, without=("localize.",))

    return start


def test_given_seeds_are_refined_as_those_of_a_run(finished, with_seeds, seeds, content):
    outcomes = with_seeds(seeds)
    assert tuple(outcomes) == ("localize", "refine", "segment", "evaluate", "report")
    for stage, part in (("localize", "seeds"), ("refine", "masks"), ("evaluate", "predictions")):
        expected = content(finished[stage].folder / part)
        assert content(outcomes[stage].folder / part) == expected
    segmenters = [runs["segment"].folder / "segmenter.safetensors" for runs in (finished, outcomes)]
    assert segmenters[0].read_bytes() == segmenters[1].read_bytes()
    metrics = [
        json.loads((runs["evaluate"].folder / "metrics.json").read_text())
        for runs in (outcomes, finished)
    ]
    assert metrics[0]["oracle_curves"] == metrics[1]["oracle_curves"]
    given = metrics[0]["subjects"]["seeds"]
    assert given["label"] == "given seeds, default threshold"
    assert given["miou"] == metrics[1]["subjects"]["seeds"]["miou"]
    page = (outcomes["report"].folder / "report.html").read_text()
    assert "Learnt from given seeds of 8 classes" in page


def test_seeds_of_a_run_can_be_given_as_they_are(finished, with_seeds, content):
    own = finished["localize"].folder / "seeds"
    outcome = with_seeds(own, "stages=[localize]")["localize"]
    assert content(outcome.folder / "seeds") == content(own)
    assert outcome.folder.name != finished["localize"].folder.name


def test_every_byte_of_given_seeds_counts(with_seeds, seeds):
    first = with_seeds(seeds, "stages=[localize]")["localize"]
    path = seeds / "train_0003.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # In the middle of a map; the size stays.
    path.write_bytes(content)
    again = with_seeds(seeds, "stages=[localize]")["localize"]
    assert again.folder != first.folder


def test_given_seeds_that_are_none_are_told_before_anything_is_computed(
    with_seeds, seeds, tmp_path
):
    for path in seeds.glob("*.npy"):
        content = np.load(path, allow_pickle=True).item()
        np.save(path, content | {"keys": content["keys"] + 1})
    with pytest.raises(WsssError, match=r"keys count classes from 0 \(\w+\) to 7"):
        with_seeds(seeds)
    assert not (tmp_path / "runs" / "localize").exists()


def test_maps_of_untagged_classes_can_be_dropped(with_seeds, seeds, finished, content):
    path = next(seeds.glob("*.npy"))
    own = np.load(path, allow_pickle=True).item()
    other = next(key for key in range(8) if key not in own["keys"])
    cam = torch.cat([own["cam"], torch.zeros_like(own["cam"][:1])])
    np.save(path, {"keys": torch.tensor([*own["keys"].tolist(), other]), "cam": cam})
    with pytest.raises(WsssError, match="and of no other class"):
        with_seeds(seeds)
    outcome = with_seeds(seeds, "localize.untagged=drop", "stages=[localize]")["localize"]
    expected = content(finished["localize"].folder / "seeds")
    assert content(outcome.folder / "seeds") == expected


@pytest.fixture
def weights(finished, tmp_path):
    """The classifier of a finished run as timm would save it: `classifier.weight` is the head."""
    state = load_file(finished["classify"].folder / "classifier.safetensors")
    assert state["head.linear.weight"].shape[0] == 8
    names = {"head.linear.weight": "classifier.weight"}
    path = tmp_path / "my_classifier.pth"
    torch.save(
        {names.get(key, key.removeprefix("features.network.")): one for key, one in state.items()},
        path,
    )
    return path


@pytest.fixture
def with_classifier(run, tmp_path):
    def start(*words):
        given = ("classify=given", *words)
        return run(tmp_path / "runs", *given, without=("classify.",))

    return start


MODEL = "classify.model=timm:tf_efficientnet_lite0"


def test_a_given_classifier_is_used_as_that_of_a_run(finished, with_classifier, weights, content):
    outcomes = with_classifier(MODEL, f"classify.weights={weights}")
    assert tuple(outcomes) == tuple(finished)
    for stage, part in (("localize", "seeds"), ("refine", "masks"), ("evaluate", "predictions")):
        expected = content(finished[stage].folder / part)
        assert content(outcomes[stage].folder / part) == expected
    for name in ("classifier.json", "classifier.safetensors"):
        ours, theirs = (runs["classify"].folder / name for runs in (outcomes, finished))
        assert ours.read_bytes() == theirs.read_bytes()
    numbers = outcomes["classify"].manifest.numbers
    expected = finished["classify"].manifest.numbers["val_map"]
    assert numbers["val_map"] == pytest.approx(expected, abs=1e-6)
    page = (outcomes["report"].folder / "report.html").read_text()
    assert "Learnt from image tags of 8 classes" in page
    assert "classify, given" in page


def test_the_classifier_of_another_run_can_be_given(finished, with_classifier, content):
    folder = finished["classify"].folder
    outcomes = with_classifier(f"classify.checkpoint={folder}", "stages=[classify,localize]")
    ours, theirs = (content(runs["localize"].folder / "seeds") for runs in (outcomes, finished))
    assert ours == theirs


def test_names_of_outputs_put_them_into_the_order_of_the_classes(
    finished, with_classifier, weights, tmp_path
):
    names = json.loads((finished["classify"].folder / "classifier.json").read_text())["class_names"]
    state = torch.load(weights, weights_only=True)
    shuffled = [*reversed(names), "background"]
    head = state["classifier.weight"]
    state["classifier.weight"] = torch.cat([head.flip(0), head[:1]])
    save_file(state, tmp_path / "shuffled.safetensors")
    words = (MODEL, f"classify.weights={tmp_path / 'shuffled.safetensors'}", "stages=[classify]")
    with pytest.raises(WsssError, match=r"a head of 9 outputs for a data set of 8 classes"):
        with_classifier(*words)
    (tmp_path / "names.txt").write_text("\n".join(shuffled))
    outcome = with_classifier(*words, f"classify.classes={tmp_path / 'names.txt'}")["classify"]
    ours, theirs = (
        load_file(one.folder / "classifier.safetensors") for one in (outcome, finished["classify"])
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    (tmp_path / "names.txt").write_text("\n".join(["cat", *shuffled[1:]]))
    with pytest.raises(WsssError, match=rf"no output for '{names[-1]}'.*; there are 'cat'"):
        with_classifier(*words, f"classify.classes={tmp_path / 'names.txt'}")


def test_statistics_of_ones_own_reach_the_seeds(with_classifier, weights, finished, content):
    words = (MODEL, f"classify.weights={weights}", "stages=[classify,localize]")
    own = with_classifier(*words, "classify.mean=[0.2,0.5,0.6]", "classify.std=[0.3,0.4,0.2]")
    description = json.loads((own["classify"].folder / "classifier.json").read_text())
    assert description["mean"] == pytest.approx([0.2, 0.5, 0.6])
    ours, theirs = (content(runs["localize"].folder / "seeds") for runs in (own, finished))
    assert ours.keys() == theirs.keys()
    assert ours != theirs


def test_methods_with_a_stage_of_their_own_go_on_from_a_given_classifier(
    with_classifier, weights, tiny_methods
):
    words = (MODEL, f"classify.weights={weights}", *tiny_methods["recam"])
    outcomes = with_classifier(*words, "stages=[classify,reactivate,localize]")
    assert tuple(outcomes) == ("classify", "reactivate", "localize")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "neither is given"),
        (("classify.weights=nowhere.pth", MODEL), "classify.weights=nowhere.pth: no such weight"),
        (("classify.weights=hub", MODEL), "weights of ImageNet's classes"),
        (("classify.weights={}",), "classify.model: None"),
        (("classify.weights={}", "classify.model=timm:resnet18"), "classify.weights=.*missing"),
        (("classify.weights={}", MODEL, "classify.channels=bgra"), "classify.channels"),
        (("classify.checkpoint=nowhere",), "classify.checkpoint=nowhere: no classifier here"),
        (("classify.weights={}", "classify.checkpoint=x", MODEL), "a checkpoint is given as well"),
        (("classify.weights={}", MODEL, "cam=ad_cam"), "attention"),
    ],
)
def test_classifiers_that_do_not_fit_are_told_before_anything_is_computed(
    with_classifier, weights, tmp_path, words, said
):
    with pytest.raises(WsssError, match=said):
        with_classifier(*(word.format(weights) for word in words))
    assert not (tmp_path / "runs" / "classify").exists()


def test_the_data_check_looks_at_what_is_given(wsss, pets, tmp_path):
    data = ("data=folder", f"data.root={pets}", f"work_dir={tmp_path / 'runs'}")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for name in ("cat0", "cat1"):
        np.save(seeds / f"{name}.npy", {"keys": np.array([0]), "cam": np.full((1, 12, 16), 0.5)})
    status, said = wsss("check", *data, "localize=given", f"localize.folder={seeds}")
    assert status == 1
    assert f"localize.folder={seeds}" in said
    assert "no file of 4 training images of 6" in said
    for name in ("cat2", "dog0", "dog1", "dog2"):
        key = 0 if name.startswith("cat") else 1
        np.save(seeds / f"{name}.npy", {"keys": np.array([key]), "cam": np.zeros((1, 12, 16))})
    status, said = wsss("check", *data, "localize=given", f"localize.folder={seeds}")
    assert status == 0, said
    status, said = wsss("check", *data, "refine=given", f"refine.masks={pets / 'masks'}")
    assert status == 1
    assert "these are the ground-truth masks" in said


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
    assert tuple(with_masks(masks, f"stages=[{','.join(CHAIN[:7])}]")) == ("refine",)
