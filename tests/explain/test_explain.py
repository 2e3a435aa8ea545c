import json
import statistics
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from wsss.cams.cam import CAM
from wsss.cams.core.method import Provenance
from wsss.cams.gradcam import GradCAM
from wsss.errors import user_error
from wsss.explain import explain_images as explained
from wsss.explain.baseline_methods import BASELINES
from wsss.explain.class_choice import ClassChoice
from wsss.explain.explain_images import explain_images
from wsss.explain.explained_classifier import Classifier, load_classifier
from wsss.explain.explainer import Explainer, Scorer
from wsss.explain.faithfulness_scores import faithfulness_passes, faithfulness_scores
from wsss.explain.method_catalogue import Entry
from wsss.explain.request import configure, request_of
from wsss.explain.supported_methods import build_methods
from wsss.models.saved_networks import load_classifier as load_exported

LITE0 = ("model=timm:tf_efficientnet_lite0", "weights=package")


def test_a_classifier_of_the_pipeline(explain, checkpoint, picture, tmp_path):
    image = picture("a.png")
    status, said = explain(image, f"checkpoint={checkpoint}", "classes=dog,0", "output=o")
    assert status == 0, said
    folder = tmp_path / "here" / "o"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "scores.json",
        "a/sheet.png",
        "a/cam.1-dog.png",
        "a/cam.0-cat.png",
    }
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["methods"]["cam"]["settings"] == {"_target_": "wsss.cams.cam.CAM"}
    assert "protocol" not in scores  # Nothing was measured.
    entry = scores["images"][0]
    assert entry["size"] == [60, 80]
    assert entry["seen_at"] == [[64, 80]]
    assert [one["class"] for one in entry["explanations"]] == ["dog", "cat"]
    model, _ = load_exported(checkpoint)
    seen = torch.from_numpy(np.array(Image.open(image).resize((80, 64), Image.Resampling.BILINEAR)))
    with torch.inference_mode():
        expected = model(seen.permute(2, 0, 1)[None] / 255).sigmoid()[0, 1]
    assert entry["explanations"][0]["probability"] == pytest.approx(float(expected), abs=0.02)
    with Image.open(folder / "a" / "cam.1-dog.png") as drawn:
        assert drawn.size == (80, 60)


def test_a_network_of_imagenet(explain, picture, tmp_path):
    status, said = explain(picture("a.png"), *LITE0, "classes=tabby,top2", "output=o")
    assert status == 0, said
    entry = json.loads((tmp_path / "here" / "o" / "scores.json").read_text())["images"][0]
    assert entry["seen_at"] == [[224, 288]]
    assert len(entry["explanations"]) == 3
    assert entry["explanations"][0]["index"] == 281
    probabilities = [one["probability"] for one in entry["most_probable"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert entry["explanations"][1]["probability"] == probabilities[0]
    assert entry["most_probable"][0]["class"] in said


def test_the_same_call_writes_to_the_same_folder_and_another_elsewhere(
    explain, checkpoint, picture, tmp_path
):
    image = picture("a.png")
    for more in ([], [], ["classes=top2"], ["flip=true"], ["scales=1,0.5"]):
        status, said = explain(image, f"checkpoint={checkpoint}", *more)
        assert status == 0, said
    assert len(list((tmp_path / "here" / "runs" / "explain").iterdir())) == 4


def test_unreadable_images_are_left_out_and_the_others_explained(
    explain, checkpoint, picture, tmp_path
):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no image")
    status, said = explain(
        broken, picture("a.png"), "gone.png", picture("other/a.gif"),
        f"checkpoint={checkpoint}", "output=o",
    )  # fmt: skip
    assert status == 0
    assert "broken.jpg: not an image" in said
    assert "gone.png: no such file" in said
    folder = tmp_path / "here" / "o"
    assert (folder / "a" / "sheet.png").is_file()
    assert (folder / "a-2" / "sheet.png").is_file()
    assert len(json.loads((folder / "scores.json").read_text())["left_out"]) == 2


def test_nothing_to_explain_is_an_error(explain, checkpoint):
    status, said = explain("gone.png", f"checkpoint={checkpoint}")
    assert status == 1
    assert "no such file" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cam=camm"], "`cam`"),
        (["gradcam.layers=null"], "no chosen method `gradcam`"),
        (["cam.x=1"], "expected: none: there are no options"),
        (["cam=gradcam", "cam.x=1"], "no option of gradcam called `x`"),
        (
            ["cam=recipro_cam", "recipro_cam.mask=x"],
            "recipro_cam.mask=x the value 'x' expected: 'd",
        ),
        (["clases=dog"], "`classes`"),
        (["classes=dogs"], "`dog`"),
        (["device=cuda:99"], "device=cuda:99"),
    ],
)
def test_mistakes_are_answered(explain, checkpoint, picture, words, said):
    status, answer = explain(picture("a.png"), f"checkpoint={checkpoint}", *words)
    assert status == 1
    assert said in answer.replace("│ ", "")


class Fails(CAM):
    provenance = Provenance("Nobody, 2026")

    def __call__(self, model, images, classes):
        raise user_error("layer", "unsupported", "another", "Use another network.")


def classifier_of(checkpoint) -> Classifier:
    cfg, _ = configure(["a.png", f"checkpoint={checkpoint}"])
    return load_classifier(request_of(cfg))


def test_a_method_that_fails_leaves_the_others_running(checkpoint, picture, tmp_path):
    image = picture("a.png")
    methods = {"fails": Fails(), "cam": CAM()}
    explainer = Explainer(classifier_of(checkpoint), methods, ClassChoice())
    found = explain_images(tmp_path / "o", explainer, [image], visible=False)
    assert [*found.sheets] == [image]
    assert len(found.problems) == 1
    assert "fails: layer: unsupported" in str(found.problems[0])
    assert {path.name.split(".")[0] for path in (tmp_path / "o" / "a").iterdir()} == {
        "cam",
        "sheet",
    }


class Greedy(CAM):
    provenance = Provenance("Nobody, 2026")

    def __call__(self, model, images, classes):
        return torch.empty(2**50)  # More than an address space has.


class Broken(CAM):
    provenance = Provenance("Nobody, 2026")

    def __call__(self, model, images, classes):
        raise RuntimeError("a mistake of ours")


def test_a_method_that_has_no_memory_for_an_image_leaves_the_others_running(
    checkpoint, picture, tmp_path
):
    image = picture("a.png")
    methods = {"greedy": Greedy(), "cam": CAM()}
    explainer = Explainer(classifier_of(checkpoint), methods, ClassChoice())
    found = explain_images(tmp_path, explainer, [image], visible=False)
    assert [*found.sheets] == [image]
    (problem,) = found.problems
    assert problem.where == f"{image}, greedy"
    assert "80 × 60 px" in problem.came
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        replace(explainer, methods={"b": Broken()}).explain(image)


def test_an_earlier_call_is_replaced(explain, checkpoint, picture, tmp_path):
    folder = tmp_path / "here" / "o"
    words = (f"checkpoint={checkpoint}", "output=o")
    images = picture("a.png"), picture("b.png")
    assert explain(*images, *words, "classes=cat,dog", "cam=cam,gradcam")[0] == 0
    assert len([*folder.rglob("*.png")]) == 2 * (4 + 1)
    own = folder / "a" / "mine.png"
    own.write_bytes(images[0].read_bytes())
    assert explain(images[0], *words, "classes=dog")[0] == 0
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert left == {"scores.json", "a/sheet.png", "a/cam.1-dog.png", "a/mine.png"}


@pytest.mark.parametrize("content", ["[1]", "{}", "no JSON", '{"images": [{"sheet": "a"}]}'])
def test_scores_of_another_program_are_left_alone(explain, checkpoint, picture, tmp_path, content):
    foreign = tmp_path / "here" / "o" / "scores.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(content)
    status, said = explain(picture("a.png"), f"checkpoint={checkpoint}", "output=o")
    assert status == 1
    assert "did not write" in said
    assert foreign.read_text() == content


@pytest.mark.parametrize(("path", "taken"), [("o", "o"), ("o/p", "o"), ("o", "o/a")])
def test_a_folder_that_cannot_be_written_is_a_message(
    explain, checkpoint, picture, tmp_path, path, taken
):
    file = tmp_path / "here" / taken
    file.parent.mkdir(parents=True)
    file.write_text("in the way")
    status, said = explain(picture("a.png"), f"checkpoint={checkpoint}", f"output={path}")
    assert status == 1
    assert "it cannot be written" in said
    assert "Choose another folder by `output=…`" in said
    assert file.read_text() == "in the way"


def test_a_folder_of_images_says_how_to_name_them(explain, checkpoint, picture, tmp_path):
    status, said = explain(picture("photos/a.png").parent, f"checkpoint={checkpoint}")
    assert status == 1
    assert f"`{tmp_path / 'photos'}/*.jpg`" in said
    assert "data set" not in said


def test_figures_of_a_scorer_stand_beside_the_probabilities(checkpoint, picture, tmp_path):
    def figures(model, method, image, classes, _tell):
        assert image.shape == (1, 3, 64, 80)
        assert float(image.max()) <= 1
        return [{"drop": float(index)} for index in classes]

    choice = ClassChoice((2, 0))
    scorer = Scorer(figures, lambda size: size[0])
    explainer = Explainer(classifier_of(checkpoint), {"cam": CAM()}, choice, scorer=scorer)
    explain_images(tmp_path, explainer, [picture("a.png")], visible=False)
    entry = json.loads((tmp_path / "scores.json").read_text())["images"][0]
    assert [(one["index"], one["drop"]) for one in entry["explanations"]] == [(2, 2.0), (0, 0.0)]


def test_steps_are_counted_beforehand_and_told_one_by_one(checkpoint, picture):
    told = []

    def figures(model, method, image, classes, tell):
        tell(0, "drop")
        tell(4, "deletion")
        return [{}]

    explainer = Explainer(
        classifier_of(checkpoint), {"cam": CAM(), "again": CAM()}, ClassChoice((2, 0)),
        scorer=Scorer(figures, lambda size: 5 if size == (64, 80) else 0),
    )  # fmt: skip
    image = picture("a.png")
    assert explainer.num_steps(image) == 2 * (1 + 2 * 5)
    explainer.explain(image, lambda *step: told.append(step))
    assert told == [
        (0, "a.png, cam"),
        (1, "a.png, cam, sofa: drop"),
        (5, "a.png, cam, sofa: deletion"),
        (6, "a.png, cam, cat: drop"),
        (10, "a.png, cam, cat: deletion"),
        (11, "a.png, again"),
        (12, "a.png, again, sofa: drop"),
        (16, "a.png, again, sofa: deletion"),
        (17, "a.png, again, cat: drop"),
        (21, "a.png, again, cat: deletion"),
    ]


def test_the_progress_of_scores_is_that_of_passes(checkpoint, picture, tmp_path, monkeypatch):
    told, asked = [], []

    @contextmanager
    def reporting(*given, **options):
        asked.append((given, options))
        yield lambda *step: told.append(step)

    monkeypatch.setattr(explained, "reporting", reporting)
    scorer = Scorer(faithfulness_scores, faithfulness_passes)
    methods = {"cam": CAM(), "gradcam": GradCAM()}
    classifier = replace(classifier_of(checkpoint), short_side_px=32)
    explainer = Explainer(
        classifier, methods, ClassChoice((1,)), scorer=scorer, baselines=BASELINES
    )
    images = [picture("a.png"), tmp_path / "gone.png", picture("b.png")]
    found = explain_images(tmp_path / "o", explainer, images)
    assert len(found.sheets) == 2
    seen_px = 32 * 48  # A map, then image, map twice, kept, deleted; two curves with both ends.
    figures = 5 + 2 * (-(-seen_px // 224) + 1)
    total = 2 * (2 * (1 + figures) + 2 * figures)  # Two baselines have no map to be shown.
    assert asked == [((total, "explain", True), {"unit": "forward pass"})]
    steps = [step for step, _ in told]
    assert steps == sorted(steps)
    assert {b - a for a, b in pairwise(steps)} >= {1}
    assert max(b - a for a, b in pairwise(steps)) <= 8  # A curve of eight images is one batch.
    assert told[-1] == (total, "")
    assert {now.rpartition(": ")[2] for _, now in told if ": " in now} == {
        "probability", "map", "coherency", "drop", "deletion", "insertion",
    }  # fmt: skip


@pytest.mark.parametrize("words", [[], ["scores=true"]])
@pytest.mark.parametrize("output", [[], ["output=deep/o"]])
def test_a_mistyped_image_leaves_no_folder(explain, checkpoint, tmp_path, words, output):
    status, said = explain("gone.png", f"checkpoint={checkpoint}", *words, *output)
    assert status == 1
    assert "gone.png" in said
    assert "no such file" in said
    assert "explain:" not in said  # There was nothing to tell the progress of.
    assert not [*(tmp_path / "here").iterdir()]


def test_results_stay_when_no_image_of_the_next_call_is_there(
    explain, checkpoint, picture, tmp_path
):
    words = (f"checkpoint={checkpoint}", "output=o", "classes=dog")
    assert explain(picture("a.png"), *words)[0] == 0
    before = (tmp_path / "here" / "o" / "scores.json").read_bytes()
    assert explain("gone.png", *words)[0] == 1
    assert (tmp_path / "here" / "o" / "scores.json").read_bytes() == before
    assert (tmp_path / "here" / "o" / "a" / "sheet.png").is_file()


def test_measured_figures(explain, checkpoint, picture, tmp_path):
    status, said = explain(
        picture("a.png"), f"checkpoint={checkpoint}", "size=32", "scores=true", "output=o"
    )
    assert status == 0, said
    scores = json.loads((tmp_path / "here" / "o" / "scores.json").read_text())
    figures = scores["images"][0]["explanations"][0]
    for name in ("drop", "increase", "insertion", "deletion", "coherency", "complexity"):
        assert 0 <= figures[name] <= 1
    parts = (figures["coherency"], 1 - figures["complexity"], 1 - figures["drop"])
    assert figures["adcc"] == pytest.approx(statistics.harmonic_mean(parts), rel=1e-5)
    assert scores["protocol"] == {
        "class_rule": "every class that is explained",
        "fill": "the colour that is 0 in normalised space",
        "insertion_start": "Gaussian blur of 11 px, sigma 5 px",
        "step_px": 224,
    }


def test_baselines_are_measured_beside_methods_and_means_have_intervals(
    explain, checkpoint, picture, tmp_path
):
    images = picture("a.png"), picture("b.png")
    words = (f"checkpoint={checkpoint}", "size=32", "--scores", "output=o", "classes=dog,cat")
    status, said = explain(*images, *words)
    assert status == 0, said
    for part in ("random map", "centred Gaussian", "means over 2 images, with 95 % intervals"):
        assert part in " ".join(said.split())
    scores = json.loads((tmp_path / "here" / "o" / "scores.json").read_text())
    names = ["random_map", "centred_gaussian"]
    assert scores["baselines"] == names
    measured = [one for entry in scores["images"] for one in entry["baselines"]]
    assert [one["method"] for one in measured] == 2 * [name for name in names for _ in range(2)]
    means = scores["means"]["methods"]
    assert [*means] == ["cam", *names]
    for name in names:
        own = [one["insertion"] for one in measured if one["method"] == name]
        found = means[name]["insertion"]
        assert found["mean"] == pytest.approx(statistics.mean(own))
        assert found["interval"][0] <= found["mean"] <= found["interval"][1]
    drawn = {path.name for path in (tmp_path / "here" / "o" / "a").iterdir()}
    assert not any(name in one for name in names for one in drawn)


def test_maps_span_zero_to_one_and_are_those_of_the_method(checkpoint):
    classifier = classifier_of(checkpoint)
    explainer = Explainer(classifier, {}, ClassChoice())
    image = torch.randint(0, 256, (1, 3, 64, 80), dtype=torch.uint8)
    with torch.no_grad():
        found = explainer.maps(CAM(), [image], (1, 1, 2), (60, 90))
        raw = CAM()(classifier.model, image / 255, torch.tensor([[1, 1, 2]])).relu()
        expected = torch.nn.functional.interpolate(raw, (60, 90), mode="bilinear")[0]
    low, high = (f(dim=(1, 2), keepdim=True) for f in (expected.amin, expected.amax))
    expected = (expected - low) / (high - low).where(high > low, torch.ones(()))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_a_method_that_cannot_be_made_is_left_out(checkpoint):
    configs = {
        "cam": OmegaConf.create({"_target_": "wsss.cams.cam.CAM"}),
        "fd_cam": OmegaConf.create({"_target_": "wsss.cams.fd_cam.FDCAM", "quantile": 2}),
    }
    entries = {"fd_cam": Entry("Nobody, 2026")}  # The other one is not of the catalogue.
    methods, refused = build_methods(configs, entries, classifier_of(checkpoint), "cpu")
    assert [*methods] == ["cam"]
    assert [problem.where for problem in refused] == ["cam=fd_cam"]
    assert refused[0].came == "quantile: 2"
