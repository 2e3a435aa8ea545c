import json

import numpy as np
import pytest
import torch
from PIL import Image

from wsss.explain.segments.segments_request import inside
from wsss.models import Segmenter
from wsss.models.saved_networks import load_segmenter, save_segmenter


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory):
    """Folder of an exported segmenter whose head is random, and gives every class some pixels."""
    folder = tmp_path_factory.mktemp("segment")
    torch.manual_seed(0)
    model = Segmenter("DeepLabV3Plus", "tf_efficientnet_lite0", "package", 3, decoder_channels=16)
    with torch.no_grad():
        model.network.segmentation_head[0].weight.mul_(20)
    save_segmenter(folder, model, ("cat", "dog", "sofa"))
    return folder


def labels_of(segmenter, path):
    model, _ = load_segmenter(segmenter)
    image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        return model(image)[0].softmax(0)


def test_every_class_that_is_found_is_explained(explain, segmenter, picture, tmp_path):
    image = picture("a.png", 64, 80)
    status, said = explain(image, f"segmenter={segmenter}", "output=o")
    assert status == 0, said
    (entry,) = json.loads((tmp_path / "here" / "o" / "segments.json").read_text())["images"]
    probabilities = labels_of(segmenter, image)
    labels = probabilities.argmax(0)
    expected = {int(one): (labels == one).float().mean() for one in labels.unique() if one}
    found = {one["label"]: one["region_share"] for one in entry["segments"]}
    assert found == pytest.approx({one: float(share) for one, share in expected.items()})
    shares = [one["region_share"] for one in entry["segments"]]
    assert shares == sorted(shares, reverse=True)
    for one in entry["segments"]:
        own = probabilities[one["label"]][labels == one["label"]].mean()
        assert one["probability"] == pytest.approx(float(own), abs=1e-4)
    with Image.open(tmp_path / "here" / "o" / entry["sheet"]) as sheet:
        assert sheet.width > 3 * 100


def test_a_point_is_explained_by_its_label_and_a_named_class(explain, segmenter, picture, tmp_path):
    image = picture("a.png", 64, 80)
    words = (image, f"segmenter={segmenter}", "region=12,50", "output=o")
    assert explain(*words)[0] == 0
    folder = tmp_path / "here" / "o"
    (entry,) = json.loads((folder / "segments.json").read_text())["images"]
    label = int(labels_of(segmenter, image).argmax(0)[50, 12])
    assert [one["label"] for one in entry["segments"]] == [label]
    assert entry["segments"][0]["region_share"] == pytest.approx(1 / (64 * 80))
    assert explain(*words, "classes=sofa,background", "layer=encoder.model.blocks.4")[0] == 0
    (entry,) = json.loads((folder / "segments.json").read_text())["images"]
    assert [one["label"] for one in entry["segments"]] == [3, 0]


def test_the_share_of_evidence_inside_a_region():
    heat = np.array([[1.0, 3.0], [0.0, 4.0]])
    region = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], bool)
    assert inside(heat, region) == 5 / 8
    assert inside(0 * heat, region) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["region=1,2,3"], "3 numbers"),
        (["region=70,50,90,60"], "no region of an image of 80 × 64 px"),
        (["layer=blocks.4"], "encoder.model.blocks.4"),
        (["cam=gradcam"], "`cam` beside it"),
        (["checkpoint=f"], "`checkpoint` beside it"),
        (["classes=lamp"], "lamp"),
        (["--scores"], "`segmenter` and `scores`"),
    ],
)
def test_mistakes_are_answered(explain, segmenter, picture, words, said):
    status, answer = explain(picture("a.png", 64, 80), f"segmenter={segmenter}", *words)
    assert status == 1
    assert said in answer


def test_a_class_without_pixels_is_left_out_with_a_way_to_ask(
    explain, tmp_path, picture, segmenter
):
    model, names = load_segmenter(segmenter)
    with torch.no_grad():
        model.network.segmentation_head[0].weight.zero_()
        model.network.segmentation_head[0].bias.copy_(torch.tensor([5.0, 0, 0, 0]))
    folder = tmp_path / "blind"
    folder.mkdir()
    save_segmenter(folder, model, names)
    image = picture("a.png", 64, 80)
    status, said = explain(image, f"segmenter={folder}")
    assert status == 1
    assert "all of it is labelled as background" in said
    status, said = explain(image, f"segmenter={folder}", "classes=dog")
    assert "no pixel is labelled as dog" in said
