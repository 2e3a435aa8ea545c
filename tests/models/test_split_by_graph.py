import pytest
import timm
import torch
import torchvision
from torch import nn

from wsss.cams.core.needs import Need, offers
from wsss.errors import WsssError
from wsss.models import LinearHead
from wsss.models.layer_outputs import outputs_of
from wsss.models.normalisation import Normalisation
from wsss.models.split_by_graph import CutHead, cut, linear_head

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)

LINEAR = (
    "timm:resnet18",
    "timm:tf_efficientnet_lite0",
    "torchvision:resnet18",
    "torchvision:densenet121",
    "torchvision:mobilenet_v2",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:mnasnet0_5",
)
OTHER = (
    "timm:vgg11",
    "timm:mobilenetv3_small_050",
    "timm:convnext_atto",
    "torchvision:mobilenet_v3_small",
    "torchvision:squeezenet1_1",
)
SMALLER = {
    "timm:vgg11": {"mlp_ratio": 1 / 32},
    "timm:swin_tiny_patch4_window7_224": {
        "embed_dim": 24,
        "num_heads": (1,) * 4,
        "depths": (1, 1, 1, 1),
    },
    "timm:vit_tiny_patch16_224": {"depth": 1},
}
"""What makes large networks small enough for a test."""


def network_of(name: str, num_classes: int = 7) -> nn.Module:
    torch.manual_seed(0)
    library, _, own = name.partition(":")
    make = timm.create_model if library == "timm" else torchvision.models.get_model
    return make(own, num_classes=num_classes, **SMALLER.get(name, {})).eval()


class SmallVgg(nn.Sequential):
    """Convolutions, pooling to 7 × 7 and two layers, as VGG and AlexNet have it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * 49, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 5)
        )


def normalised(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1).to(images) for values in (MEAN, STD))
    return (images - mean) / std


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if "vgg" in name else name
        for name in (*LINEAR, *OTHER)
    ],
)
def test_a_cut_network_has_the_logits_of_the_whole_one(name):
    network = network_of(name)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(normalised(images))
        model = cut(network, name, Normalisation(MEAN, STD), side_px=64)
        torch.testing.assert_close(
            model(images), expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max())
        )
        assert model.features(images).shape[1] == model.features.num_features
    assert expected.std() > 0
    assert model.num_classes == 7
    assert model.features.takes_any_size
    assert not model.multi_label
    assert isinstance(model.head, LinearHead if name in LINEAR else CutHead)
    assert (Need.LINEAR_HEAD in offers(model)) == (name in LINEAR)


def test_pooling_to_a_fixed_size_belongs_to_the_head():
    network = SmallVgg().eval()
    images = torch.rand(2, 3, 40, 24)
    model = cut(network, "mine", Normalisation(MEAN, STD), side_px=32)
    with torch.no_grad():
        torch.testing.assert_close(model(images), network(normalised(images)))
        assert model.features(images).shape == (2, 8, 10, 6)
    assert list(model.inner_layers) == ["features.4", "features"]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("timm:resnet18", ["act1", "layer1", "layer2", "layer3", "layer4"]),
        ("timm:tf_efficientnet_lite0", ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "bn2"]),
    ],
)
def test_inner_layers_are_the_last_at_each_resolution(name, layers):
    model = cut(network_of(name), name, Normalisation(MEAN, STD), side_px=64)
    assert list(model.inner_layers) == layers
    with outputs_of([*model.inner_layers.values()]) as outputs, torch.no_grad():
        features = model.features(torch.rand(1, 3, 64, 64))
    sides = [output.shape[2] for output in outputs]
    assert sides == sorted(set(sides), reverse=True)
    assert torch.equal(outputs[-1], features)


def test_a_thousand_classes_keep_the_weights_of_their_layer():
    network = network_of("torchvision:resnet18", 1000)
    weight, bias = network.fc.weight.clone(), network.fc.bias.clone()
    model = cut(network, "resnet18", Normalisation(MEAN, STD), side_px=64)
    assert model.num_classes == 1000
    assert torch.equal(model.head.weight, weight)
    assert torch.equal(model.head.bias, bias)


def swin(library: str) -> nn.Module:
    torch.manual_seed(0)
    if library == "timm":
        return network_of("timm:swin_tiny_patch4_window7_224")
    return torchvision.models.SwinTransformer(
        [4, 4], 24, depths=[1] * 4, num_heads=[1] * 4, window_size=[7, 7], num_classes=7
    ).eval()


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_maps_with_their_channels_last_are_turned(library):
    network = swin(library)
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        expected = network(normalised(images))
        model = cut(network, library, Normalisation(MEAN, STD), side_px=224)
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
        assert model.features(images).shape == (1, 192, 7, 7)
    assert isinstance(model.head, LinearHead)
    assert model.features.takes_any_size == (library == "torchvision")


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_tokens_are_refused_with_networks_that_would_do(library):
    network = (
        network_of("timm:vit_tiny_patch16_224")
        if library == "timm"
        else torchvision.models.VisionTransformer(224, 32, 1, 2, 16, 16, num_classes=7)
    )
    with pytest.raises(WsssError, match=r"tokens.*timm:resnet50"):
        cut(network, library, Normalisation(MEAN, STD), side_px=224)


class Branching(nn.Module):
    def forward(self, images):
        return images.mean(dim=(2, 3)) if images.sum() > 0 else images.amax(dim=(2, 3))


class Skipping(nn.Module):
    """Its head also sees what lies before the last map."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3, 2)

    def forward(self, images):
        early = self.first(images)
        return self.second(early).mean(dim=(2, 3)) + early.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("network", "words"), [(Branching(), "followed"), (Skipping(), "`first` from before")]
)
def test_networks_that_have_no_place_to_cut_say_why(network, words):
    with pytest.raises(WsssError, match=words):
        cut(network, "mine", Normalisation(MEAN, STD), side_px=32)


def head(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


POOLED = (nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize(
    "layers",
    [
        (*POOLED, nn.Linear(6, 4)),
        (*POOLED, nn.Dropout(0.5), nn.Linear(6, 4, bias=False)),
        (nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 4, 1), nn.Flatten()),
        (nn.Conv2d(6, 4, 1), *POOLED),
    ],
    ids=["linear", "without bias", "1x1 convolution", "convolution first"],
)
def test_pooling_and_one_linear_layer_are_a_linear_head_in_any_order(layers):
    whole = head(*layers)
    linear = linear_head(whole, (6, 3, 5))
    features = torch.randn(2, 6, 4, 7, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(linear(features), whole(features), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layers",
    [
        (nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
        (*POOLED, nn.ReLU(), nn.Linear(6, 4)),
        (*POOLED, nn.LayerNorm(6), nn.Linear(6, 4)),
        (*POOLED, nn.Linear(6, 4), nn.Linear(4, 4)),
        (nn.Conv2d(6, 4, 1), nn.ReLU(), *POOLED),
        (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)),
        (nn.Conv2d(6, 4, 3, padding=1), *POOLED),
    ],
    ids=["maximum", "relu", "norm", "two layers", "relu after", "2x2 pooling", "3x3 convolution"],
)
def test_other_heads_are_none(layers):
    assert linear_head(head(*layers), (6, 3, 5)) is None


def test_cutting_leaves_the_random_state_and_no_hook():
    network = network_of("timm:resnet18")
    before = torch.random.get_rng_state()
    model = cut(network, "timm:resnet18", Normalisation(MEAN, STD), side_px=64)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(module._forward_hooks for module in model.modules())
