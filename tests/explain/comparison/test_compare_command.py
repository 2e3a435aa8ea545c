import csv
import json
import shutil

import pytest
import torch
from PIL import Image

from wsss.artifacts import Manifest, RunRecord
from wsss.explain import explainer as explaining
from wsss.models import SplitClassifier, TimmBackbone
from wsss.models.saved_networks import save_classifier


@pytest.fixture
def other(tmp_path):
    """Another head on the same features."""
    torch.manual_seed(7)
    folder = tmp_path / "other"
    folder.mkdir()
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    save_classifier(folder, SplitClassifier.linear(backbone, 3), ("cat", "dog", "sofa"))
    return folder


@pytest.fixture
def counted(monkeypatch):
    """Files that are explained from now on."""
    found = []
    explain = explaining.Explainer.explain

    def noted(self, path, *others):
        found.append(path.name)
        return explain(self, path, *others)

    monkeypatch.setattr(explaining.Explainer, "explain", noted)
    return found


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_two_checkpoints(explain, checkpoint, other, picture, tmp_path):
    photos = picture("photos/a.png").parent
    picture("photos/b.png", 40, 70)
    words = (photos, "--compare", checkpoint, other, "classes=cat,dog", "cam=cam,layercam")
    status, said = explain(*words, "output=o")
    assert status == 0, said
    folder = tmp_path / "here" / "o"
    found = json.loads((folder / "comparison.json").read_text())
    shares = [image["disagreement"] for image in found["images"]]
    assert shares == sorted(shares, reverse=True)
    assert min(shares) > 0
    assert found["sides"]["B"]["folder"] == str(other)
    for image in found["images"]:
        of_classes = [one["moved_share"] for one in image["classes"]]
        assert of_classes == sorted(of_classes, reverse=True)
        assert len(of_classes) == 4
        assert image["disagreement"] == of_classes[0]
        with Image.open(folder / image["sheet"]) as sheet:
            assert sheet.height > 4 * 100
    with (folder / "comparison.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    assert rows[0]["image"] == found["images"][0]["image"]
    assert float(rows[0]["moved_share"]) == pytest.approx(shares[0], rel=1e-5)
    assert (folder / "overview.png").is_file()


def test_a_finished_image_is_kept_and_the_rest_is_computed(
    explain, checkpoint, picture, tmp_path, counted
):
    words = (
        picture("a.png"), picture("b.png"), f"checkpoint={checkpoint}",
        "--compare", "cam", "Layer-CAM", "output=o", "classes=dog",
    )  # fmt: skip
    assert explain(*words)[0] == 0
    folder = tmp_path / "here" / "o"
    before = contents(folder)
    (folder / "notes" / "b.json").unlink()  # As after a kill.
    (folder / "comparison.json").unlink()
    counted.clear()
    assert explain(*words)[0] == 0
    assert {*counted} == {"b.png"}
    assert contents(folder) == before


def change_image(_folder, image):
    Image.new("RGB", (80, 60), (0, 90, 200)).save(image)


def change_weights(folder, _image):
    torch.manual_seed(9)
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    save_classifier(folder, SplitClassifier.linear(backbone, 3), ("cat", "dog", "sofa"))


@pytest.mark.parametrize("change", [change_image, change_weights])
def test_what_changed_at_the_same_path_is_computed_anew(
    explain, checkpoint, picture, tmp_path, counted, change
):
    own = tmp_path / "own"
    shutil.copytree(checkpoint, own)
    images = picture("a.png"), picture("b.png")
    words = (*images, f"checkpoint={own}", "compare=[cam,layercam]", "classes=dog")
    assert explain(*words, "output=o")[0] == 0
    note = tmp_path / "here" / "o" / "notes" / "a.json"
    before = note.read_bytes()
    change(own, images[0])
    counted.clear()
    assert explain(*words, "output=o")[0] == 0
    assert {*counted} == {"a.png", "b.png"}
    assert note.read_bytes() != before


@pytest.mark.parametrize("more", [["layercam.layers=[blocks.4]"], ["flip=true"], ["size=96"]])
def test_another_option_is_another_folder(explain, checkpoint, picture, tmp_path, more):
    words = (picture("a.png"), f"checkpoint={checkpoint}", "--compare", "cam", "layercam")
    for own in ([], [], more):
        status, said = explain(*words, *own)
        assert status == 0, said
    assert len([*(tmp_path / "here" / "runs" / "explain").iterdir()]) == 2


def test_an_earlier_request_leaves_no_picture(explain, checkpoint, picture, tmp_path):
    a, b = picture("a.png"), picture("b.png")
    words = (f"checkpoint={checkpoint}", "--compare", "cam", "layercam", "output=o")
    assert explain(a, b, *words)[0] == 0
    assert explain(a, *words)[0] == 0
    sheets = tmp_path / "here" / "o" / "sheets"
    assert [path.name for path in sheets.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "content", ["[]", "no JSON", '{"fingerprint": "a", "files": ["../a.png"]}']
)
def test_a_request_of_another_program_is_left_alone(
    explain, checkpoint, picture, tmp_path, content
):
    foreign = tmp_path / "here" / "o" / "request.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(content)
    words = (picture("a.png"), f"checkpoint={checkpoint}", "--compare", "cam", "layercam")
    status, said = explain(*words, "output=o")
    assert status == 1
    assert "did not write" in said
    assert foreign.read_text() == content


def test_a_run_stands_for_its_classifier(explain, checkpoint, other, picture, tmp_path):
    runs = tmp_path / "runs"
    for name, source in (("one", checkpoint), ("two", other)):
        stage = runs / "classify" / name
        shutil.copytree(source, stage)
        Manifest("classify", name, {}, {}).write(stage)
        log = runs / "logs" / name
        log.mkdir(parents=True)
        record = RunRecord([], "finished")
        record.note_stages(log, {"classify": stage})
        record.write(log)
    logs = [runs / "logs" / name for name in ("one", "two")]
    status, said = explain(picture("a.png"), "--compare", *logs, "output=o")
    assert status == 0, said
    found = json.loads((tmp_path / "here" / "o" / "comparison.json").read_text())
    assert found["sides"]["A"]["folder"] == str(runs / "classify" / "one")
    status, said = explain(picture("a.png"), "--compare", runs / "logs", checkpoint)
    assert status == 1
    assert "2 classifiers" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", "cam"], "1 of two sides"),
        (["--compare", "cam", "cam"], "a method and itself"),
        (["--compare", "cam", "layercm"], "`layercam`"),
        (["--compare", "cam", "layercam", "--scores"], "`compare` and `scores`"),
        (["--compare", "cam", "layercam", "cam=cam"], "methods that are named twice"),
        (["region=1,2"], "a region without a segmenter"),
        (["--sanity", "flip=true"], "scales or mirror images"),
    ],
)
def test_what_does_not_go_together_is_said(explain, checkpoint, picture, words, said):
    status, answer = explain(picture("a.png"), f"checkpoint={checkpoint}", *words)
    assert status == 1
    assert said in answer


def test_classifiers_without_a_common_class_are_refused(explain, checkpoint, picture, tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / "cars"
    folder.mkdir()
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    save_classifier(folder, SplitClassifier.linear(backbone, 2), ("car", "bus"))
    status, said = explain(picture("a.png"), "--compare", checkpoint, folder)
    assert status == 1
    assert "without a common class" in said
    status, said = explain(picture("a.png"), "--compare", checkpoint, folder, "model=timm:resnet18")
    assert "two folders beside a checkpoint or model" in said
