import json

import pytest
import torch
from PIL import Image

from wsss.cams.cam import CAM
from wsss.cams.core.method import CamMethod
from wsss.explain.class_choice import ClassChoice
from wsss.explain.explained_classifier import load_classifier
from wsss.explain.explainer import Explainer
from wsss.explain.request import configure, request_of
from wsss.explain.sanity import check_image as checking
from wsss.explain.sanity.check_image import GAUSSIAN, RANDOM, check_image
from wsss.explain.sanity.verdicts import CHANCE, UNCHANGED


class Edges(CamMethod):
    """The brightness of the image: it knows no network."""

    def maps(self, model, images, classes):
        return images.mean(1, keepdim=True).expand(-1, classes.shape[1], -1, -1)


class Dogless(CamMethod):
    """Maps that are empty for the first class, as of a method that keeps positive evidence only."""

    def maps(self, model, images, classes):
        edges = images.mean(1, keepdim=True).expand(-1, classes.shape[1], -1, -1)
        return edges * (classes != 0)[..., None, None]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def read(folder):
    return json.loads((folder / "sanity.json").read_text())


def test_a_network_that_stays_has_the_same_maps(checkpoint, picture):
    cfg, _ = configure(["a.png", f"checkpoint={checkpoint}"])
    classifier = load_classifier(request_of(cfg))
    explainer = Explainer(classifier, {"cam": CAM(), "edges": Edges()}, ClassChoice((1, 0)))
    same = iter([("nothing", classifier.model)] * 2)
    *told, seen = check_image(explainer, picture("a.png"), same, 0)
    assert told == [None, None]
    assert seen.class_names == ("dog", "cat")
    for method in ("cam", "edges", GAUSSIAN):
        for network in seen.similarities[method]:
            for one in network:
                assert one.rank_correlation == pytest.approx(1)
                assert one.structural_similarity == pytest.approx(1)
    assert all(abs(n[0].rank_correlation) < 0.1 for n in seen.similarities[RANDOM])


def test_an_empty_map_of_the_trained_network_is_left_out_and_told(checkpoint, picture):
    cfg, _ = configure(["a.png", f"checkpoint={checkpoint}"])
    classifier = load_classifier(request_of(cfg))

    def seen_of(*classes):
        methods = {"edges": Edges(), "dogless": Dogless()}
        explainer = Explainer(classifier, methods, ClassChoice(classes))
        same = iter([("nothing", classifier.model)])
        return [*check_image(explainer, picture("a.png"), same, 0)][-1]

    empty = classifier.class_names[0]
    both = seen_of(1, 0)
    assert [len(network) for network in both.similarities["edges"]] == [2]
    assert [len(network) for network in both.similarities["dogless"]] == [1]
    assert both.similarities["dogless"][0][0].rank_correlation == pytest.approx(1)
    (problem,) = both.problems
    assert f"map of {empty} is empty" in problem.came
    assert problem.where.endswith("dogless")
    alone = seen_of(0)
    assert "dogless" not in {*alone.similarities, *alone.maps}
    assert len(alone.problems) == 1


def test_methods_that_see_the_image_alone_are_told_so(explain, checkpoint, picture, tmp_path):
    (tmp_path / "here").mkdir()
    words = (picture("a.png"), f"checkpoint={checkpoint}", "--sanity", "classes=dog", "output=o")
    status, said = explain(*words, f"cam._target_={__name__}.Edges")
    assert status == 0, said
    folder = tmp_path / "here" / "o"
    found = read(folder)
    assert found["steps"][:3] == ["nothing", "head", "conv_head"]
    assert found["steps"][-1] == "conv_stem"
    assert found["methods"]["Edges"]["verdict"] == UNCHANGED
    assert found["methods"][GAUSSIAN]["verdict"] == UNCHANGED
    assert found["methods"][RANDOM]["verdict"] == CHANCE
    assert explain(*words, "cam=cam")[0] == 0
    cascade = read(folder)["methods"]["cam"]["cascade"]["rank_correlation"]
    assert cascade[0]["mean"] == pytest.approx(1)
    assert cascade[-1]["mean"] < 0.9
    with Image.open(folder / "sheets" / "a.png") as sheet:
        assert sheet.width > 12 * 100


def test_a_finished_image_is_kept_and_the_rest_is_computed(
    explain, checkpoint, picture, tmp_path, monkeypatch
):
    images = picture("a.png"), picture("b.png", 70, 50)
    words = (*images, f"checkpoint={checkpoint}", "--sanity", "classes=dog", "output=o")
    assert explain(*words)[0] == 0
    folder = tmp_path / "here" / "o"
    before = contents(folder)
    (folder / "notes" / "b.json").unlink()  # As after a kill.
    (folder / "sanity.json").unlink()
    seen = []
    original = checking.Explainer.explain
    monkeypatch.setattr(
        checking.Explainer, "explain",
        lambda self, path, *more: (seen.append(path.name), original(self, path, *more))[1],
    )  # fmt: skip
    assert explain(*words)[0] == 0
    assert {*seen} == {"b.png"}
    assert contents(folder) == before
    seen.clear()
    assert explain(*words, "seed=1")[0] == 0
    assert {*seen} == {"a.png", "b.png"}
    assert contents(folder) != before


def test_a_small_image_is_left_out(explain, checkpoint, picture):
    small, other = picture("a.png", 8, 8), picture("b.png")
    words = (f"checkpoint={checkpoint}", "--sanity", "classes=dog")
    status, said = explain(small, other, *words)
    assert status == 0
    assert "11 px or more" in said
    assert explain(small, *words)[0] == 1


def test_heads_are_fitted_to_true_and_permuted_tags(
    explain, call_command, write_folder, tmp_path, monkeypatch
):
    names = [f"{name}{number}.jpg" for name in ("cat", "dog") for number in range(6)]
    root = write_folder({name: [name[:3]] for name in names})
    monkeypatch.chdir(tmp_path)
    data = ("data=folder", f"data.root={root}")
    tiny = ("classify.max_epochs=1", "classify.feature_windows=1", "classify.batch_size=4")
    status, said = call_command("run", *data, "stages=[classify]", *tiny)
    assert status == 0, said
    (manifest,) = (tmp_path / "runs" / "classify").glob("*/manifest.json")
    folder = manifest.parent
    image = next(iter((root / "images").glob("cat*")))
    words = (image, f"checkpoint={folder}", "--sanity", "classes=cat", "output=o")
    status, said = explain(*words, *data)
    assert status == 0, said
    found = read(tmp_path / "here" / "o")
    assert {*found["head_losses"]} == {"true tags", "permuted tags"}
    heads = found["methods"]["cam"]["heads"]
    assert heads["true tags"]["rank_correlation"][0]["mean"] <= 1
    assert found["methods"][GAUSSIAN]["heads"]["permuted tags"]["rank_correlation"][0]["mean"] == (
        pytest.approx(1)
    )
    labels = root / "labels.csv"
    labels.write_text(labels.read_text().replace("cat0.jpg,cat", "cat0.jpg,dog"))
    status, said = explain(*words, *data)
    assert status == 1
    assert "not those of the classifier" in said


def test_a_classifier_without_features_has_no_heads_to_fit(
    explain, checkpoint, picture, write_folder
):
    root = write_folder({"a.jpg": ["cat"], "b.jpg": ["dog"]})
    words = (picture("a.png"), f"checkpoint={checkpoint}", "--sanity", "data=folder")
    status, said = explain(*words, f"data.root={root}")
    assert status == 1
    assert "without pooled features" in said
    assert torch.is_grad_enabled()
