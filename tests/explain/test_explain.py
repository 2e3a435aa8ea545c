import json
import statistics

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from wsss.cams.cam import CAM
from wsss.cams.core.method import Provenance
from wsss.errors import WsssError, user_error
from wsss.explain import images as stage
from wsss.explain import run as explainer
from wsss.explain.catalogue import Entry
from wsss.explain.classes import ClassChoice
from wsss.explain.request import Setting, parse
from wsss.models.export import load_classifier
from wsss.settings.folder import config_dir
from wsss.settings.method_options import configure

LITE0 = ("--model", "timm:tf_efficientnet_lite0", "--weights", "package")


def test_a_classifier_of_the_pipeline(explain, checkpoint, picture, tmp_path):
    image = picture("a.png")
    status, said = explain(image, "--checkpoint", checkpoint, "--classes", "dog,0", "--output", "o")
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
    model, _ = load_classifier(checkpoint)
    seen = torch.from_numpy(np.array(Image.open(image).resize((80, 64), Image.Resampling.BILINEAR)))
    with torch.inference_mode():
        expected = model(seen.permute(2, 0, 1)[None] / 255).sigmoid()[0, 1]
    assert entry["explanations"][0]["probability"] == pytest.approx(float(expected), abs=0.02)
    with Image.open(folder / "a" / "cam.1-dog.png") as drawn:
        assert drawn.size == (80, 60)


def test_a_network_of_imagenet(explain, picture, tmp_path):
    status, said = explain(picture("a.png"), *LITE0, "--classes", "tabby,top2", "--output", "o")
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
    for more in ([], [], ["--classes", "top2"], ["--flip"], ["--scales", "1,0.5"]):
        status, said = explain(image, "--checkpoint", checkpoint, *more)
        assert status == 0, said
    assert len(list((tmp_path / "here" / "runs" / "explain").iterdir())) == 4


def test_unreadable_images_are_left_out_and_the_others_explained(
    explain, checkpoint, picture, tmp_path
):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no image")
    status, said = explain(
        broken, picture("a.png"), "gone.png", picture("other/a.png"),
        "--checkpoint", checkpoint, "--output", "o",
    )  # fmt: skip
    assert status == 0
    assert "broken.jpg: not an image" in said
    assert "gone.png: no such file" in said
    folder = tmp_path / "here" / "o"
    assert (folder / "a" / "sheet.png").is_file()
    assert (folder / "a-2" / "sheet.png").is_file()
    assert len(json.loads((folder / "scores.json").read_text())["left_out"]) == 2


def test_nothing_to_explain_is_an_error(explain, checkpoint):
    status, said = explain("gone.png", "--checkpoint", checkpoint)
    assert status == 1
    assert "no such file" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "camm"], "`cam`"),
        (["--method", "cam", "--set", "gradcam:x=1"], "no method in --method called `gradcam`"),
        (["--set", "x=1"], "expected: none: there are no options"),
        (["--method", "gradcam", "--set", "x=1"], "no option of gradcam called `x`"),
        (
            ["--method", "recipro_cam", "--set", "mask=x"],
            "cam.mask: 'x' expected: one of 'delta', ",
        ),
        (["--classes", "dogs"], "`dog`"),
        (["--device", "cuda:99"], "device=cuda:99"),
    ],
)
def test_mistakes_are_answered(explain, checkpoint, picture, words, said):
    status, answer = explain(picture("a.png"), "--checkpoint", checkpoint, *words)
    assert status == 1
    assert said in answer.replace("│ ", "")


class Fails(CAM):
    provenance = Provenance("Nobody, 2026")

    def __call__(self, model, images, classes):
        raise user_error("layer", "unsupported", "another", "Use another network.")


def subject_of(checkpoint):
    return explainer.subject_of(parse(["a.png", "--checkpoint", str(checkpoint)]))


def test_a_method_that_fails_leaves_the_others_running(checkpoint, picture, tmp_path):
    image = picture("a.png")
    methods = {"fails": Fails(), "cam": CAM()}
    found = stage.run(
        tmp_path / "o", subject_of(checkpoint), methods, [image], ClassChoice(), visible=False
    )
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
    arguments = ([image], ClassChoice())
    found = stage.run(tmp_path, subject_of(checkpoint), methods, *arguments, visible=False)
    assert [*found.sheets] == [image]
    (problem,) = found.problems
    assert problem.where == f"{image}, greedy"
    assert "80 × 60 px" in problem.came
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        stage.run(tmp_path, subject_of(checkpoint), {"b": Broken()}, *arguments, visible=False)


def test_an_earlier_call_is_replaced(explain, checkpoint, picture, tmp_path):
    folder = tmp_path / "here" / "o"
    words = ("--checkpoint", checkpoint, "--output", "o", "--classes")
    images = picture("a.png"), picture("b.png")
    assert explain(*images, *words, "cat,dog", "--method", "cam,gradcam")[0] == 0
    assert len([*folder.rglob("*.png")]) == 2 * (4 + 1)
    own = folder / "a" / "mine.png"
    own.write_bytes(images[0].read_bytes())
    assert explain(images[0], *words, "dog")[0] == 0
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert left == {"scores.json", "a/sheet.png", "a/cam.1-dog.png", "a/mine.png"}


@pytest.mark.parametrize("content", ["[1]", "{}", "no JSON", '{"images": [{"sheet": "a"}]}'])
def test_scores_of_another_program_are_left_alone(explain, checkpoint, picture, tmp_path, content):
    foreign = tmp_path / "here" / "o" / "scores.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(content)
    status, said = explain(picture("a.png"), "--checkpoint", checkpoint, "--output", "o")
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
    status, said = explain(picture("a.png"), "--checkpoint", checkpoint, "--output", path)
    assert status == 1
    assert "it cannot be written" in said
    assert "Choose another folder by `--output`" in said
    assert file.read_text() == "in the way"


def test_a_folder_of_images_says_how_to_name_them(explain, checkpoint, picture, tmp_path):
    status, said = explain(picture("photos/a.png").parent, "--checkpoint", checkpoint)
    assert status == 1
    assert f"`{tmp_path / 'photos'}/*.jpg`" in said
    assert "data set" not in said


@pytest.mark.parametrize("asked", ["cam,all", "all"])
def test_all_is_all(asked):
    assert explainer._chosen(asked.split(","), ("ad_cam", "cam")) == ("ad_cam", "cam")
    with pytest.raises(WsssError, match="no method `camm`"):
        explainer._chosen(["all", "camm"], ("ad_cam", "cam"))


def test_figures_of_a_scorer_stand_beside_the_probabilities(checkpoint, picture, tmp_path):
    def scorer(model, method, image, classes):
        assert image.shape == (1, 3, 64, 80)
        assert float(image.max()) <= 1
        return [{"drop": float(index)} for index in classes]

    stage.run(
        tmp_path, subject_of(checkpoint), {"cam": CAM()}, [picture("a.png")], ClassChoice((2, 0)),
        scorer=scorer, visible=False,
    )  # fmt: skip
    entry = json.loads((tmp_path / "scores.json").read_text())["images"][0]
    assert [(one["index"], one["drop"]) for one in entry["explanations"]] == [(2, 2.0), (0, 0.0)]


def test_measured_figures(explain, checkpoint, picture, tmp_path):
    status, said = explain(
        picture("a.png"), "--checkpoint", checkpoint, "--size", 32, "--scores", "--output", "o"
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


def test_maps_span_zero_to_one_and_are_those_of_the_method(checkpoint):
    subject = subject_of(checkpoint)
    image = torch.randint(0, 256, (1, 3, 64, 80), dtype=torch.uint8)
    with torch.no_grad():
        found = stage._maps(subject, CAM(), [image], (1, 1, 2), (60, 90), flip=False)
        raw = CAM()(subject.model, image / 255, torch.tensor([[1, 1, 2]])).relu()
        expected = torch.nn.functional.interpolate(raw, (60, 90), mode="bilinear")[0]
    low, high = (f(dim=(1, 2), keepdim=True) for f in (expected.amin, expected.amax))
    expected = (expected - low) / (high - low).where(high > low, torch.ones(()))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_settings_reach_the_methods_that_have_them(tmp_path):
    (tmp_path / "cam").mkdir()
    (tmp_path / "run.yaml").write_text("defaults: [_self_, cam: one]\n")
    (tmp_path / "cam" / "one.yaml").write_text("_target_: wsss.cams.cam.CAM\nmask: delta\nn: 3\n")
    (tmp_path / "cam" / "two.yaml").write_text("_target_: wsss.cams.cam.CAM\nmask: delta\n")
    settings = [Setting("mask", "gaussian"), Setting("n", "4"), Setting("mask", "own", "two")]
    configs = configure(tmp_path, ["one", "two"], settings)
    assert configs["one"].cam == {"_target_": "wsss.cams.cam.CAM", "mask": "gaussian", "n": 4}
    assert configs["two"].cam == {"_target_": "wsss.cams.cam.CAM", "mask": "own"}
    with pytest.raises(WsssError, match="called `n`"):
        configure(tmp_path, ["one", "two"], [Setting("n", "4", "two")])
    with pytest.raises(WsssError, match="--set"):
        configure(tmp_path, ["one"], [Setting("mask", "[1")])


@pytest.mark.parametrize(
    ("method", "key", "value", "expected"),
    [
        ("fg_cam", "denoise", "no", "true or false, like the default False"),
        ("extended_cam", "rescale", "maybe", "true or false"),
        ("fd_cam", "chunk_rows", "2.5", "a whole number, like the default 32"),
        ("fd_cam", "quantile", "true", "a number"),
        ("cluster_cam", "num_clusters", "2.5", "a whole number"),
        ("cluster_cam", "num_clusters", "knee", "a whole number"),
        ("cluster_cam", "top", "1.5", "a whole number"),
        ("cluster_cam", "seed", "x", "a whole number"),
        ("infer_cam", "erase_threshold", "x", "a number"),
        ("infer_cam", "scales", "1", "a list"),
        ("ad_cam", "attention_network.name", "[a]", "a word"),
    ],
)
def test_a_value_of_another_kind_is_refused(method, key, value, expected):
    # YAML's `no` is a word to Hydra, and true to Python.
    setting = Setting(key, value)
    with pytest.raises(WsssError, match=f"Expected {expected}") as refusal:
        configure(config_dir(), [method], [setting])
    assert [problem.where for problem in refusal.value.problems] == [f"--set {setting}"]


@pytest.mark.parametrize(
    ("method", "key", "value", "kept"),
    [
        ("fg_cam", "denoise", "true", True),
        ("fg_cam", "target_layer", "input", "input"),
        ("fg_cam", "target_layer", "null", None),
        ("cluster_cam", "num_clusters", "elbow", "elbow"),
        ("extended_cam", "sigma", "1.5", 1.5),
        ("fd_cam", "quantile", "0", 0),
        ("gradcam", "layers", "[layer3]", ["layer3"]),
        ("ad_cam", "attention_network", "null", None),
        ("ad_cam", "coupling.steps", "2", 2),
    ],
)
def test_what_an_option_takes_is_taken(method, key, value, kept):
    configs = configure(config_dir(), [method], [Setting(key, value)])
    assert OmegaConf.select(configs[method].cam, key) == kept


@pytest.mark.parametrize("key", ["_target_", "coupling._target_"])
def test_a_method_stays_the_method_that_it_is_called(key):
    setting = Setting(key, "wsss.cams.ad_cam.coupling.Product")
    with pytest.raises(WsssError, match="no option of ad_cam called `") as refusal:
        configure(config_dir(), ["ad_cam"], [setting])
    assert "_target_`" not in refusal.value.problems[0].expected


def test_a_method_that_cannot_be_made_is_left_out(checkpoint):
    configs = {
        "cam": OmegaConf.create({"cam": {"_target_": "wsss.cams.cam.CAM"}}),
        "odd": OmegaConf.create({"cam": {"_target_": "wsss.cams.cam.CAM", "file": "???"}}),
        "wrong": OmegaConf.create({"cam": {"_target_": "wsss.cams.cam.CAM", "sigma": 3}}),
    }
    entries = dict.fromkeys(configs, Entry("Nobody, 2026"))
    methods, refused = explainer.build_methods(configs, entries, subject_of(checkpoint), "cpu")
    assert [*methods] == ["cam"]
    assert [problem.where for problem in refused] == ["--method odd", "--method wrong"]
    assert "no value" in refused[0].came
    assert "cannot be made" in refused[1].came
