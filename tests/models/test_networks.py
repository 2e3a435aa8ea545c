import numpy as np
import pytest
import torch

from wsss.errors import WsssError
from wsss.models import Segmenter, SplitClassifier, TimmBackbone
from wsss.models.saved_networks import (
    load_classifier,
    load_segmenter,
    save_classifier,
    save_segmenter,
)

LITE0 = "tf_efficientnet_lite0"


def segmenter(**settings):
    return Segmenter("DeepLabV3Plus", LITE0, None, num_classes=3, decoder_channels=16, **settings)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize(("name", "channels"), [(LITE0, 1280), ("resnet18", 512)])
def test_features_have_the_output_stride(name, channels, output_stride):
    backbone = TimmBackbone(name, None, output_stride=output_stride)
    assert backbone.num_features == channels
    features = backbone(torch.rand(1, 3, 64, 96))
    assert features.shape == (1, channels, 64 // output_stride, 96 // output_stride)


@pytest.mark.parametrize(
    "make", [lambda: TimmBackbone(LITE0, None), segmenter], ids=["trunk", "encoder"]
)
def test_statistics_of_the_trunk_stay_as_they_are(make):
    network = make().train()
    trunk = network.network.encoder if isinstance(network, Segmenter) else network
    before = {key: value.clone() for key, value in trunk.named_buffers()}
    network(torch.rand(2, 3, 64, 64))
    assert any("running_mean" in key for key in before)
    for key, value in trunk.named_buffers():
        assert torch.equal(value, before[key]), key


def test_a_network_that_timm_does_not_have_is_answered_with_one_that_it_has():
    with pytest.raises(WsssError, match=r"resnet5o.*timm has no such network.*resnet50"):
        TimmBackbone("resnet5o")


def test_what_is_frozen():
    def trained(freeze):
        return {
            n
            for n, p in TimmBackbone(LITE0, None, freeze=freeze).named_parameters()
            if p.requires_grad
        }

    every = trained("none")
    assert trained("backbone") == set()
    assert every - trained("stem") == {
        "network.conv_stem.weight",
        "network.bn1.weight",
        "network.bn1.bias",
    }


def test_what_is_frozen_up_to_an_inner_layer():
    """As a ResNet that stops gradients behind its second stage, as IRN's does."""
    stopped = TimmBackbone("resnet18", None)
    stopped.network.layer2.register_forward_hook(lambda *given: given[-1].detach())
    stopped(torch.rand(1, 3, 32, 32)).sum().backward()
    learning = {name for name, one in stopped.named_parameters() if one.grad is not None}
    frozen = TimmBackbone("resnet18", None, freeze="layer2")
    assert {name for name, one in frozen.named_parameters() if one.requires_grad} == learning
    assert {name.split(".")[1] for name in learning} == {"layer3", "layer4"}


def test_a_word_that_freezes_nothing_is_answered_with_those_that_do():
    with pytest.raises(WsssError, match=r"freeze='layer9'.*'stem'.*'layer2'") as caught:
        TimmBackbone("resnet18", None, freeze="layer9")
    assert "act1" not in str(caught.value)  # It has no parameters.


def test_logits_are_pooled_features_times_weights():
    torch.manual_seed(0)
    model = SplitClassifier.linear(TimmBackbone(LITE0, "package"), 4, bias=True)
    model.double().eval()
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    with torch.inference_mode():
        pooled = model.features(images).mean(dim=(2, 3))
        expected = pooled @ model.head.linear.weight.T + model.head.linear.bias
        np.testing.assert_allclose(model(images), expected, rtol=1e-9, atol=1e-12)


def test_images_are_normalised_once():
    backbone = TimmBackbone(LITE0, "package").eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        raw = backbone.network.forward_features((images - 0.5) / 0.5)
        assert torch.equal(backbone(images), raw)


@pytest.mark.parametrize("size", [(64, 96), (37, 51), (16, 16)])
def test_logits_have_the_size_of_the_image(size):
    with torch.inference_mode():
        assert segmenter().eval()(torch.rand(1, 3, *size)).shape == (1, 4, *size)


def test_the_encoder_trains_from_a_chosen_module():
    network = segmenter(trains_from="blocks.5").network
    names = {n for n, p in network.encoder.model.named_parameters() if p.requires_grad}
    frozen = {n for n, p in network.encoder.model.named_parameters() if not p.requires_grad}
    assert {name.split(".")[0] for name in frozen} == {"conv_stem", "bn1", "blocks"}
    assert {name.split(".")[1] for name in frozen if "blocks" in name} == set("01234")
    assert {name.split(".")[1] for name in names if "blocks" in name} == set("56")
    assert all(p.requires_grad for p in network.decoder.parameters())


def test_the_decoder_alone_is_trained():
    network = segmenter(trains_from="decoder").network
    assert not any(p.requires_grad for p in network.encoder.parameters())
    head = [*network.decoder.parameters(), *network.segmentation_head.parameters()]
    assert head
    assert all(p.requires_grad for p in head)


def test_an_unknown_module_is_answered_with_those_there_are():
    with pytest.raises(WsssError, match=r"blocks\.9.*blocks\.6.*decoder"):
        segmenter(trains_from="blocks.9")


def test_exported_networks_come_back_bit_by_bit(tmp_path):
    images = torch.rand(1, 3, 48, 64)
    classifier = SplitClassifier.linear(TimmBackbone(LITE0, None), 2, bias=True).eval()
    save_classifier(tmp_path, classifier, ("cat", "dog"))
    network = segmenter().eval()
    save_segmenter(tmp_path, network, ("a", "b", "c"))
    for model, load, names in (
        (classifier, load_classifier, ("cat", "dog")),
        (network, load_segmenter, ("a", "b", "c")),
    ):
        loaded, class_names = load(tmp_path)
        assert class_names == names
        assert not loaded.training
        with torch.inference_mode():
            assert torch.equal(loaded(images), model(images))


def test_a_folder_without_a_network(tmp_path):
    with pytest.raises(WsssError, match=r"classifier\.safetensors"):
        load_classifier(tmp_path)
