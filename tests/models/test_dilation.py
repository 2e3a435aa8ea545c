"""Backbones at a smaller output stride without dilation, as in the code of IRN."""

import json

import pytest
import timm
import torch
from torchvision.models import resnet50

from wsss.models import SplitClassifier, TimmBackbone
from wsss.models.backbones import batch_norms
from wsss.models.saved_networks import load_classifier, save_classifier

LITE0 = "tf_efficientnet_lite0"


def undilated_resnet50(state, *stages):
    """torchvision's network, whose named stages have no stride, with given weights."""
    network = resnet50(weights=None).eval()
    for stage in stages:
        first = getattr(network, stage)[0]
        first.conv2.stride = first.downsample[0].stride = (1, 1)
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert {*missing} == {"fc.weight", "fc.bias"}
    assert not unexpected
    return torch.nn.Sequential(*[*network.children()][:-2])  # Without pooling and classifier.


def undilated_lite0(state):
    """timm's network, whose last halving is left out."""
    network = timm.create_model(LITE0, num_classes=0).eval()
    network.blocks[5][0].conv_dw.stride = (1, 1)
    network.load_state_dict(state)
    return network.forward_features


def trained(backbone):
    """BatchNorm has learned something; timm begins with branches whose scale is 0."""
    torch.manual_seed(1)
    for layer in batch_norms(backbone):
        layer.weight.data.uniform_(0.5, 1.0)
        layer.running_mean.normal_(std=0.1)
        layer.running_var.uniform_(0.5, 1.5)
    return backbone.eval()


@pytest.mark.parametrize(
    ("name", "output_stride", "build"),
    [
        ("resnet50", 16, lambda state: undilated_resnet50(state, "layer4")),
        ("resnet50", 8, lambda state: undilated_resnet50(state, "layer3", "layer4")),
        (LITE0, 16, undilated_lite0),
    ],
)
def test_features_are_those_of_a_network_that_was_built_without_dilation(
    name, output_stride, build
):
    backbone = trained(TimmBackbone(name, None, output_stride, dilates=False))
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        found = backbone(images)
        expected = build(backbone.network.state_dict())(backbone.normalise(images))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        assert found.shape[2:] == (64 // output_stride, 96 // output_stride)
        # It is another network than the dilated one, with the same weights.
        dilated = trained(TimmBackbone(name, None, output_stride))
        dilated.load_state_dict(backbone.state_dict())
        other = dilated(images)
        assert other.shape == found.shape
        assert (other - found).abs().max() > 1e-2 * found.abs().max()


def test_a_network_at_its_own_stride_stays_as_it_is():
    backbone = TimmBackbone("resnet18", None, output_stride=None).eval()
    same = TimmBackbone("resnet18", None, output_stride=None, dilates=False).eval()
    same.load_state_dict(backbone.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(backbone(images), same(images))


@pytest.mark.parametrize("dilates", [True, False])
def test_an_exported_classifier_comes_back_with_its_dilation(tmp_path, dilates):
    backbone = trained(TimmBackbone("resnet18", None, 16, dilates=dilates))
    classifier = SplitClassifier.linear(backbone, 2).eval()
    save_classifier(tmp_path, classifier, ("cat", "dog"))
    described = json.loads((tmp_path / "classifier.json").read_text())["backbone"]
    assert described.get("dilates", True) is dilates
    assert ("dilates" in described) is not dilates  # Others are described as they always were.
    loaded, _ = load_classifier(tmp_path)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.features(images), backbone(images))
