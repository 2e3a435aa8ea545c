"""Runs that start from the user's own classifier."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from wsss.errors import WsssError


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
