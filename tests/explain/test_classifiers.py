"""Classifiers that `wsss explain` can be given, and what it says of those that will not do."""

import json
import re
import shutil
from functools import cache

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image

from wsss.artifacts import Manifest
from wsss.cams.core.needs import Need, lacking, offers
from wsss.explain.method_catalogue import catalogue
from wsss.models import PairHeads, SplitClassifier, VisionGnnBackbone, VisionGnnHead
from wsss.models.pretrained import pretrained_classifier
from wsss.models.saved_networks import save_pair_heads
from wsss.models.vision_gnn import load_vision_gnn_classifier
from wsss.settings.config_dir import config_dir
from wsss.settings.remedies import FOR_EXPLAIN, FOR_RUN, told


@pytest.fixture
def vision_gnn(tmp_path):
    """A checkpoint of a Vision GNN under the released names."""
    torch.manual_seed(0)
    backbone, head = VisionGnnBackbone("vig_tiny"), VisionGnnHead(192, 1000)
    state = backbone.network.state_dict() | head.state_dict()
    torch.save({"state_dict": state}, tmp_path / "vig_ti.pth")
    return tmp_path / "vig_ti.pth"


def test_a_vision_gnn_of_its_authors(explain, vision_gnn, picture, tmp_path):
    status, said = explain(
        picture("a.png"), "model=wsss:vig_tiny", f"weights={vision_gnn}",
        "cam=vscam,gradcam", "size=64", "output=o",
    )  # fmt: skip
    assert status == 0, said
    folder = tmp_path / "here" / "o"
    scores = json.loads((folder / "scores.json").read_text())
    assert [*scores["methods"]] == ["vscam", "gradcam"]
    assert not scores["left_out"]
    (entry,) = scores["images"]
    assert entry["seen_at"] == [[64, 80]]
    image = Image.open(tmp_path / "a.png").resize((80, 64), Image.Resampling.BILINEAR)
    model = load_vision_gnn_classifier("vig_tiny", str(vision_gnn)).eval()
    with torch.inference_mode():
        seen = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
        expected = model(seen).softmax(dim=1)[0]
    for one in entry["explanations"]:
        assert one["probability"] == pytest.approx(float(expected[one["index"]]), rel=0.05)
        assert (folder / one["overlay"]).is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wsss:vig_huge", "weights=w.pth"], "no wsss model `vig_huge`"),
        (["wsss:vig_tiny", "weights=hub"], "no hub or package carries weights of vig_tiny"),
        (["wsss:pvig_tiny", "weights=vig_ti.pth"], "weights=vig_ti.pth"),
    ],
)
def test_a_vision_gnn_that_cannot_be_had_is_answered_in_the_commands_words(
    explain, vision_gnn, picture, words, said
):
    model, weights = (word.replace(vision_gnn.name, str(vision_gnn)) for word in words)
    status, answer = explain(picture("a.png"), f"model={model}", weights)
    assert status == 1
    assert said.replace(vision_gnn.name, str(vision_gnn)) in answer
    assert "backbone.weights" not in answer


def test_a_method_that_the_network_cannot_support_says_what_would_do(explain, picture, tmp_path):
    import timm

    torch.save(timm.create_model("mobilenetv3_small_050").state_dict(), tmp_path / "w.pth")
    weights = f"weights={tmp_path / 'w.pth'}"
    status, said = explain(picture("a.png"), "model=timm:mobilenetv3_small_050", weights)
    assert status == 1
    assert "cam=cam this method cannot explain timm:mobilenetv3_small_050" in said.replace("│ ", "")
    assert "`cam=gradcam` works on any head" in said


def test_methods_that_are_left_out_say_what_the_command_can_be_given(
    explain, checkpoint, picture, tmp_path
):
    methods = "cam=cam,vscam,token_recipro_cam,recam,meng"
    status, said = explain(picture("a.png"), f"checkpoint={checkpoint}", methods)
    assert status == 0
    for words in (
        "cam=vscam", "`model=wsss:vig_tiny`", "`wsss run backbone=deit_small`",
        "`checkpoint=runs/reactivate/…`", "`checkpoint=runs/oppose/…`",
    ):  # fmt: skip
        assert words in said
    assert said.replace("wsss run backbone=", "").count("backbone=") == 0


def composed(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("run", [*overrides])


@cache
def offered_by(word):
    """What a classifier offers that is named in a remedy, and whose weights are none."""
    kind, _, name = word.rpartition("=")
    if not kind:
        return offers(pretrained_classifier(name, None))
    backbone = instantiate(composed(word).backbone, weights=None)()
    return offers(SplitClassifier.linear(backbone, 3))


NEEDY = {name: entry.needs for name, entry in catalogue(config_dir()).items() if entry.needs}
MISSING = sorted({*map(tuple, map(sorted, NEEDY.values())), *((need.value,) for need in Need)})
NAMED = re.compile(r"`(?:model=|wsss run )?((?:backbone=|timm:|wsss:)[\w]+)`")


@pytest.mark.parametrize("remedies", [FOR_RUN, FOR_EXPLAIN], ids=["run", "explain"])
@pytest.mark.parametrize("needs", MISSING, ids=", ".join)
def test_what_is_named_instead_has_all_that_is_missing(needs, remedies):
    remedy = told(lacking("CAM", "a model", [*map(Need, needs)]), "cam", remedies).remedy
    networks = NAMED.findall(remedy)
    trained = re.findall(r"`(?:wsss run )?cam=(recam|meng|clip_text)`", remedy)
    made = {Need.TEXT_HEAD} if "clip_text" in trained else set()
    for network in networks:
        assert offered_by(network) >= set(needs) - made
    for method in trained:
        stage = re.search(r"stage `(\w+)`|runs/(\w+)/", remedy)
        assert composed(f"cam={method}")[stage[1] or stage[2]] is not None
    assert networks or trained
    for method in re.findall(r"cam=(\w*cam)` (?:works|masks)", remedy):
        assert method not in NEEDY  # It works on any network.


def test_a_network_that_a_method_brings_along_is_left_where_it_is_if_the_classifier_will_not_do(
    explain, vision_gnn, picture, monkeypatch
):
    monkeypatch.setattr("timm.create_model", lambda *_, **__: pytest.fail("It was fetched."))
    status, said = explain(
        picture("a.png"), "model=wsss:vig_tiny", f"weights={vision_gnn}",
        "cam=ad_cam,transcam,attention_product",
    )  # fmt: skip
    assert status == 1
    for name in ("ad_cam", "transcam", "attention_product"):
        assert f"cam={name} this method cannot explain wsss:vig_tiny" in said.replace("│ ", "")
    assert said.count("expected: global average pooling and one linear layer") == 3


def test_several_needs_are_one_refusal(explain, vision_gnn, picture):
    status, said = explain(
        picture("a.png"), "model=wsss:vig_tiny", f"weights={vision_gnn}", "cam=recam"
    )
    assert status == 1
    assert said.count("cannot explain") == 1
    assert "and use `checkpoint=runs/reactivate/…`" in said
    assert "model=timm:resnet50" not in said


def test_a_need_that_an_option_adds_is_found_as_well(explain, checkpoint, picture):
    words = ("cam=ad_cam", "cam.attention_network=null")
    status, said = explain(picture("a.png"), f"checkpoint={checkpoint}", *words)
    assert status == 1
    assert "expected: a vision transformer" in said


@pytest.fixture
def opposed(checkpoint, tmp_path):
    """A folder of pair heads, beside that of the classifier they were trained on."""
    shutil.copytree(checkpoint, tmp_path / "runs" / "classify" / "a")
    heads = PairHeads(torch.tensor([0, 1, 2]), torch.tensor([1, 0, 0]), 3, 1280)
    torch.nn.init.normal_(heads.weight, generator=torch.Generator().manual_seed(0))
    folder = tmp_path / "runs" / "oppose" / "b"
    save_pair_heads(folder, heads, ("cat", "dog", "sofa"))
    Manifest("oppose", "b", {}, {}, {"inputs": {"classify": "a"}}).write(folder)
    return folder


def test_pair_heads_are_put_beside_the_classifier_they_were_trained_on(
    explain, checkpoint, opposed, picture, tmp_path
):
    words = (picture("a.png"), "cam=meng,cam", "size=64")
    status, said = explain(*words, f"checkpoint={opposed}", "output=o")
    assert status == 0, said
    scores = json.loads((tmp_path / "here" / "o" / "scores.json").read_text())
    assert [*scores["methods"]] == ["meng", "cam"]
    status, said = explain(*words, f"checkpoint={checkpoint}", "output=p")
    assert "checkpoint=runs/oppose/" in said
    assert [*json.loads((tmp_path / "here" / "p" / "scores.json").read_text())["methods"]] == [
        "cam"
    ]


def test_pair_heads_that_name_no_classifier_are_refused(explain, opposed, picture):
    (opposed / "manifest.json").unlink()
    status, said = explain(picture("a.png"), f"checkpoint={opposed}")
    assert status == 1
    assert "pair heads without a manifest" in said
