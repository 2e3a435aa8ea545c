import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from wsss.errors import WsssError
from wsss.models import LinearHead, VisionGnnBackbone, VisionGnnHead
from wsss.models.imagenet import imagenet_names
from wsss.models.pretrained import pretrained_classifier
from wsss.models.weights import load_state_dict

LITE0 = "tf_efficientnet_lite0"


def test_the_package_has_a_thousand_classes_with_their_weights():
    model = pretrained_classifier(f"timm:{LITE0}", "package")
    state = load_state_dict(LITE0, "package")
    assert isinstance(model.head, LinearHead)
    assert model.num_classes == 1000
    assert torch.equal(model.head.weight, state["classifier.weight"])
    assert torch.equal(model.head.bias, state["classifier.bias"])
    whole = timm.create_model(LITE0).eval()
    whole.load_state_dict(state)
    images = torch.rand(1, 3, 96, 64, dtype=torch.float64)
    with torch.inference_mode():
        expected = whole.double()((images - 0.5) / 0.5)
        torch.testing.assert_close(model.double()(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_the_number_of_classes_is_that_of_the_file(tmp_path, library, suffix):
    path = tmp_path / f"mine{suffix}"
    make = timm.create_model if library == "timm" else torchvision.models.get_model
    network = make("resnet18", num_classes=5).eval()
    state = network.state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    model = pretrained_classifier(f"{library}:resnet18", str(path))
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.inference_mode():
        expected = network.double()((images - mean) / std)
        torch.testing.assert_close(model.double()(images), expected, rtol=1e-9, atol=1e-9)
    assert model.num_classes == 5
    assert model.features.side_px == 224


@pytest.mark.parametrize(("name", "stride"), [("vig_tiny", 16), ("pvig_tiny", 32)])
def test_vision_gnns_have_the_head_and_the_names_of_their_released_checkpoints(
    name, stride, tmp_path
):
    torch.manual_seed(0)
    path = tmp_path / "released.pth"
    backbone = VisionGnnBackbone(name).eval()
    head = VisionGnnHead(backbone.num_features, 1000).eval()
    # `test_vision_gnn.py` compares these names with the released ones.
    state = backbone.network.state_dict() | head.state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    model = pretrained_classifier(f"wsss:{name}", str(path))
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected = head(backbone.network((images - 0.5) / 0.5))
        torch.testing.assert_close(model(images), expected, rtol=1e-6, atol=1e-6)
    assert isinstance(model.features, VisionGnnBackbone)
    assert (model.num_classes, model.multi_label) == (1000, False)
    assert (model.features.output_stride, model.features.side_px) == (stride, 224)
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(module.training for module in model.modules())


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "r18.pth"
    torch.save(timm.create_model("resnet18").state_dict(), path)
    with pytest.raises(WsssError, match=r"^weights=.*r18\.pth: .*parameters missing"):
        pretrained_classifier("timm:mobilenetv3_small_050", str(path))


@pytest.mark.parametrize(
    ("model", "weights", "words"),
    [
        ("resnet50", None, "`timm:resnet50`"),
        ("tim:resnet50", None, "`timm:resnet50`"),
        ("timm:resnet5", None, "`resnet50`"),
        ("torchvision:fcn_resnet50", None, "no torchvision model"),
        ("timm:resnet18", "package", "^weights=package: no installed package"),
        ("timm:resnet18", "gone.pth", "^weights=gone.pth: no such weight file"),
        ("timm:deit_tiny_patch16_224", None, "class token.*VitBackbone"),
    ],
)
def test_what_cannot_be_had_is_answered_with_what_can(model, weights, words):
    with pytest.raises(WsssError, match=words):
        pretrained_classifier(model, weights)


def test_a_hub_out_of_reach(offline):
    with pytest.raises(WsssError, match=r"^weights=hub: .*`resnet18`.*name a \.safetensors"):
        pretrained_classifier("timm:resnet18", "hub")


def test_imagenet_classes_have_names():
    names = imagenet_names(1000)
    assert len(names) == 1000
    assert names[281] == "tabby, tabby cat"
    assert imagenet_names(3) == ("class 0", "class 1", "class 2")
