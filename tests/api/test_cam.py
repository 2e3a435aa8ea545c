"""`wsss.cam`: maps as another computation has them, and a network that does not notice."""

import inspect
import re

import numpy as np
import pytest
import timm
import torch
import torchvision
from hydra.utils import get_class
from PIL import Image
from pytorch_grad_cam import GradCAM as ReferenceGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.nn import functional as F
from torchcam.methods import LayerCAM as ReferenceLayerCAM

import wsss
from wsss.cams.core.method import CamMethod, Provenance
from wsss.cams.gradcam import GradCAM
from wsss.errors import WsssError
from wsss.models import LinearHead, SplitClassifier, TimmBackbone

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def picture(height=64, width=96):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def normalised(image):
    return (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - MEAN) / STD


class Branching(nn.Module):
    """Its way depends on the image, it shares a ReLU, and its head is written in `forward`."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, 2, 1)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(8, 4)

    def forward(self, images):
        features = self.relu(self.first(images))
        if features.mean() > 0:
            features = self.relu(self.second(features))
        return self.fc(features.mean(dim=(2, 3)))


class ThreeConvolutions(nn.Module):
    """At the image's own size throughout, with a head of its own: maximum and mean, two layers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1),
            nn.BatchNorm2d(6), nn.Tanh(), nn.Conv2d(6, 8, 3, padding=1),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(16, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 3))

    def forward(self, images):
        features = F.relu_(self.convolutions(images))
        pooled = torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)
        return self.head(pooled)


def resnet():
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None, num_classes=5)


def swin():
    torch.manual_seed(0)
    return timm.create_model(
        "swin_tiny_patch4_window7_224", embed_dim=24, num_heads=(1,) * 4, depths=(1,) * 4,
        num_classes=5,
    )  # fmt: skip


def vgg():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(True), nn.Conv2d(6, 8, 3, 2, 1))
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(8 * 9, 10), nn.ReLU(), nn.Linear(10, 5))
    return nn.Sequential(layers, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(3), classifier)


def in_use(network):
    """The network in the midst of training: partly frozen, gradients there, statistics moved."""
    network.train()
    network(torch.randn(2, 3, 224, 224)).square().sum().backward()
    modules = [m for m in network.modules() if not list(m.children())]
    modules[0].requires_grad_(False)
    modules[1].eval()
    modules[-1].register_forward_hook(ignore)
    return network


def ignore(*_):
    return None


def by_hand(network, layer, inputs, index, turned=False):
    """Grad-CAM by autograd: the map as it is, and after ReLU at the size of the input."""
    kept = []
    handle = layer.register_forward_hook(lambda _m, _i, output: kept.append(output))
    score = network.eval()(inputs)[0, index]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept[-1])
    features, gradient = (t.movedim(-1, 1) if turned else t for t in (kept[-1], gradient))
    raw = (features * gradient.mean(dim=(2, 3), keepdim=True)).sum(dim=1)[0]
    size = inputs.shape[2:]
    large = F.interpolate(raw.relu()[None, None], size, mode="bilinear")[0, 0]
    return raw.detach(), ((large - large.min()) / (large.max() - large.min())).detach()


@pytest.mark.parametrize(
    ("make", "layer", "side", "turned"),
    [
        (resnet, lambda n: n.layer4, 96, False),
        (Branching, lambda n: n.relu, 96, False),
        (vgg, lambda n: n[1], 96, False),
        (swin, lambda n: n.norm, 224, True),
    ],
    ids=["resnet", "branching", "vgg", "swin"],
)
def test_grad_cam_is_that_of_autograd_by_hand(make, layer, side, turned, state_of):
    network, image = in_use(make()), picture(side, side)
    before = state_of(network)
    found = wsss.cam(network, image, 2)
    assert state_of(network) == before
    raw, shown = by_hand(network, layer(network), normalised(image), 2, turned)
    torch.testing.assert_close(found.raw[0], raw, rtol=1e-4, atol=1e-5 * float(raw.abs().max()))
    torch.testing.assert_close(found.maps[0], shown, rtol=0, atol=1e-4)
    assert found.classes == (2,)


def test_three_convolutions_with_a_head_of_their_own(state_of):
    network, image = in_use(ThreeConvolutions()), picture()
    before = state_of(network)
    found = wsss.cam(network, image, [0, 1])
    assert state_of(network) == before
    assert found.maps.shape == found.raw.shape == (2, 64, 96)
    network.eval()
    features = network.convolutions(normalised(image)).detach().requires_grad_()
    rectified = features.relu()
    pooled = torch.cat([rectified.amax(dim=(2, 3)), rectified.mean(dim=(2, 3))], dim=1)
    (gradient,) = torch.autograd.grad(network.head(pooled)[0, 1], features)
    expected = torch.einsum("k,khw->hw", gradient[0].mean(dim=(1, 2)), features[0]).detach()
    torch.testing.assert_close(found.raw[1], expected, rtol=1e-4, atol=1e-8)


def test_other_libraries_have_the_same_maps():
    network, image = resnet().eval(), picture()
    inputs = normalised(image)
    with ReferenceGradCAM(network, [network.layer4]) as reference:
        expected = reference(inputs, [ClassifierOutputTarget(3)])[0]
    np.testing.assert_allclose(wsss.cam(network, image, 3).maps[0], expected, atol=2e-3)
    with ReferenceLayerCAM(network, network.layer3, input_shape=(3, 64, 96)) as extractor:
        (small,) = extractor(3, network(inputs), normalized=False)
    found = wsss.cam(network, image, 3, method="layercam", layer="layer3").raw.relu()
    torch.testing.assert_close(found, small.detach(), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("make", [resnet, Branching])
def test_cam_is_the_weighted_sum_of_the_features_where_the_head_is_linear(make):
    network, image = make(), picture()
    found = wsss.cam(network, image, 1, method="cam")
    network.eval()
    if make is resnet:
        trunk = nn.Sequential(*list(network.children())[:-2])
        features = trunk(normalised(image))
    else:
        features = network.second(network.first(normalised(image)).relu()).relu()
    expected = torch.einsum("k,bkhw->bhw", network.fc.weight[1], features).detach()
    torch.testing.assert_close(found.raw, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [vgg, ThreeConvolutions])
def test_a_head_that_is_not_linear_has_no_cam(make):
    with pytest.raises(
        WsssError, match=r"cam: this method cannot explain this .*one linear layer.*gradcam"
    ):
        wsss.cam(make(), picture(), 1, method="cam")


@pytest.mark.parametrize("make", [Branching, ThreeConvolutions, resnet, vgg])
@pytest.mark.parametrize("method", ["recipro_cam", "cluster_cam", "layercam"])
def test_methods_without_gradients_explain_any_network_too(make, method, state_of):
    network = in_use(make())
    before = state_of(network)
    found = wsss.cam(network, picture(24, 24), 0, method=method)
    assert state_of(network) == before
    assert found.maps.shape == (1, 24, 24)
    assert float(found.maps.min()) >= 0
    assert float(found.maps.max()) in (0, 1)


def test_recipro_cam_is_what_the_network_makes_of_one_position():
    network, image = ThreeConvolutions().eval(), picture(6, 5)
    found = wsss.cam(network, image, 2, method="recipro_cam").raw[0]

    def probability(features):
        pooled = torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)
        return network.head(pooled).softmax(dim=1)[0, 2]

    with torch.no_grad():
        features = network.convolutions(normalised(image))
        for row, column in ((0, 0), (3, 4), (5, 2)):
            alone = torch.zeros_like(features)
            alone[..., row, column] = features[..., row, column]
            expected = probability(alone.relu()) - probability(torch.zeros_like(features))
            torch.testing.assert_close(found[row, column], expected, rtol=1e-3, atol=1e-6)


class Functional(nn.Module):
    """Its last map is no module's output."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8, 4)

    def forward(self, images):
        return self.fc(F.relu(self.conv(images)).mean(dim=(2, 3)))


def test_where_hooks_do_not_reach_the_network_is_cut(state_of):
    network, image = in_use(Functional()), picture()
    before = state_of(network)
    found = wsss.cam(network, image, 1, method="cam")
    assert state_of(network) == before
    features = network.conv(normalised(image)).relu()
    expected = torch.einsum("k,bkhw->bhw", network.fc.weight[1], features).detach()
    torch.testing.assert_close(found.raw, expected, rtol=1e-4, atol=1e-6)


def test_a_layer_is_named_or_given():
    network, image = resnet(), picture()
    named = wsss.cam(network, image, 1, layer="layer2.0")
    given = wsss.cam(network, image, 1, layer=network.layer2[0])
    raw, _ = by_hand(network, network.layer2[0], normalised(image), 1)
    assert torch.equal(named.raw, given.raw)
    torch.testing.assert_close(named.raw[0], raw, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("layer22", "no layer `layer22`.*`layer2`"),
        (nn.ReLU(), "no module of the network"),
        ("fc", r"output is \[1, 5\]"),
        ("avgpool", r"output is \[1, 512, 1, 1\]"),
    ],
)
def test_layers_that_will_not_do_are_refused(layer, words):
    with pytest.raises(WsssError, match=words):
        wsss.cam(resnet(), picture(), 1, layer=layer)


@pytest.mark.parametrize("layer", [lambda _: "layer3", lambda network: network.layer3])
def test_a_layer_that_is_at_fault_is_named_and_not_the_network(layer):
    network = resnet()
    with pytest.raises(WsssError, match=r"layer=\w+: cam cannot .*this layer.*Leave `layer` out"):
        wsss.cam(network, picture(), 1, method="CAM", layer=layer(network))


def test_tokens_are_refused_in_words():
    network = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=5)
    with pytest.raises(WsssError, match=r"tokens.*layer="):
        wsss.cam(network, picture(), 1)


def test_a_network_of_one_size_sees_the_image_at_it():
    network, image = swin(), picture(50, 70)
    found = wsss.cam(network, image, 1)
    assert found.maps.shape == (1, 50, 70)
    assert found.raw.shape == (1, 7, 7)
    seen = F.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None] / 255, (224, 224), mode="bilinear",
        antialias=True,
    )  # fmt: skip
    again = wsss.cam(network, seen, 1)
    torch.testing.assert_close(found.raw, again.raw)
    flat = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    with pytest.raises(WsssError, match=r"refuses the image at 50 × 70, 224 × 224.*size=32"):
        wsss.cam(flat, image)
    assert wsss.cam(flat, image, size=(16, 16)).raw.shape == (1, 8, 8)


def test_a_size_that_is_asked_for_is_that_of_the_shorter_side():
    network, image = resnet(), picture(60, 90)
    assert wsss.cam(network, image, 1, size=128).raw.shape == (1, 4, 6)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (lambda features: features, r"the network gives \[1, 8, 24, 24\]"),
        (lambda features: {"a": 1}, "the network gives dict"),
    ],
)
def test_what_gives_no_logits_is_refused(output, words):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)

        def forward(self, images):
            return output(self.conv(images))

    with pytest.raises(
        WsssError, match=words.replace("[", r"\[").replace("]", r"\]").replace(r"\\", "\\")
    ):
        wsss.cam(Network(), picture(24, 24))
    with pytest.raises(WsssError, match=r"a list.*torch\.nn\.Module"):
        wsss.cam([], picture())


def test_logits_may_be_a_part_of_the_output():
    class Output:
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(Branching):
        def forward(self, images):
            return Output(super().forward(images))

    expected = wsss.cam(Branching(), picture(), 2)
    assert torch.equal(wsss.cam(Wrapped(), picture(), 2).raw, expected.raw)


@pytest.mark.parametrize("block", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_whoever_calls_may_record_gradients_or_not(block):
    network = Branching()
    with block():
        found = wsss.cam(network, picture(), 2)
    assert torch.equal(found.raw, wsss.cam(network, picture(), 2).raw)
    assert not found.raw.requires_grad
    assert not found.maps.is_inference()


def test_half_precision_gives_about_the_same():
    found = wsss.cam(Branching().bfloat16(), picture(), 2)
    expected = wsss.cam(Branching(), picture(), 2)
    assert found.maps.dtype == torch.float32
    torch.testing.assert_close(found.maps, expected.maps, rtol=0, atol=0.15)


# Classes and methods.


@pytest.mark.parametrize(
    ("classes", "indices"),
    [
        (3, (3,)),
        ("dog", (1,)),
        ("HOUND", (1,)),
        (["cat", 2], (0, 2)),
        ((1, 1), (1, 1)),
        (torch.tensor(2), (2,)),
        (torch.tensor([0, 3]), (0, 3)),
        (np.int64(1), (1,)),
        (np.array([3, 1]), (3, 1)),
    ],
)
def test_classes_are_indices_and_names(classes, indices):
    names = ["cat", "dog, hound", "sofa", "bird"]
    found = wsss.cam(Branching(), picture(), classes, names=names)
    assert found.classes == indices
    assert found.names == tuple(names[index] for index in indices)
    assert found.maps.shape[0] == len(indices) == len(found.probabilities)


@pytest.mark.parametrize(
    ("classes", "names", "words"),
    [
        (4, None, "class_: 4. Expected a whole number 0…3"),
        (-1, None, "class_: -1. Expected a whole number 0…3"),
        ([0, 1.5], None, "class_: 1.5"),
        (True, None, "class_: True"),
        ([], None, "class_: .*the network predicts"),
        (1.0, None, "class_: 1.0"),
        ("dog", None, "names of the 4 classes are not known"),
        ("dgo", ["cat", "dog", "sofa", "bird"], "no class `dgo`. Expected `dog`"),
        (0, ["cat"], "names: 1 names. Expected a list of 4"),
        (0, "cats", "names: 'cats'. Expected a list of 4"),
    ],
)
def test_other_classes_are_refused(classes, names, words):
    with pytest.raises(WsssError, match=words.replace("[", r"\[")):
        wsss.cam(Branching(), picture(), classes, names=names)


def test_without_a_class_it_is_the_predicted_one():
    network, image = Branching(), picture()
    with torch.no_grad():
        probabilities = network(normalised(image)).softmax(dim=1)[0]
    found = wsss.cam(network, image)
    assert found.classes == (int(probabilities.argmax()),)
    assert found.probabilities == pytest.approx([float(probabilities.max())], rel=1e-5)
    assert found.names is None


def test_a_thousand_classes_are_those_of_imagenet():
    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    assert wsss.cam(network, picture(), "tabby").classes == (281,)
    assert wsss.cam(network, picture(), 281).names == ("tabby, tabby cat",)


class Brightness(CamMethod):
    """The mean of the features."""

    provenance = Provenance("nobody, 2026")

    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, model, images, classes):
        maps = model.features(images).mean(dim=1, keepdim=True)
        return self.factor * maps.expand(-1, classes.shape[1], -1, -1)

    maps = __call__


def test_methods_are_names_objects_or_classes():
    network, image = Branching(), picture()
    by_class = wsss.cam(network, image, 1, method=Brightness)
    by_object = wsss.cam(network, image, 1, method=Brightness(2.0))
    torch.testing.assert_close(by_object.raw, 2 * by_class.raw)
    torch.testing.assert_close(
        wsss.cam(network, image, 1, method=GradCAM()).raw, wsss.cam(network, image, 1).raw
    )
    with pytest.raises(WsssError, match=r"no method `gradcm`. Expected `gradcam`"):
        wsss.cam(network, image, 1, method="gradcm")
    with pytest.raises(WsssError, match=r"method: 3"):
        wsss.cam(network, image, 1, method=3)
    with pytest.raises(
        WsssError, match=r"vscam: this method cannot explain this Branching\. .*vision GNN"
    ):
        wsss.cam(network, image, 1, method="vscam")


@pytest.mark.parametrize("name", ["GradCAM", "Grad-CAM", "grad_cam", "GRADCAM"])
def test_methods_are_named_in_any_spelling(name):
    network, image = Branching(), picture()
    assert torch.equal(
        wsss.cam(network, image, 1, method=name).raw, wsss.cam(network, image, 1).raw
    )


@pytest.mark.parametrize("name", ["ad_cam", "attention_product", "transcam"])
def test_a_second_network_out_of_reach_is_told_in_pythons_words(offline, name):
    with pytest.raises(WsssError) as refusal:
        wsss.cam(resnet(), picture(), 1, method=name)
    (problem,) = refusal.value.problems
    assert problem.where == "attention_network.weights=hub"
    assert "asking huggingface.co failed" in problem.came
    assert "`model.safetensors` of timm/deit_small_patch16_224.fb_in1k" in problem.expected
    owner, argument = re.search(r"`([\w.]+)\(attention_network=([\w.]+)\(", problem.remedy).groups()
    network = get_class(argument)("deit_tiny_patch16_224")
    assert wsss.cam(resnet(), picture(), 1, method=get_class(owner)(attention_network=network))


# The package's own classifiers.


@pytest.fixture(scope="module")
def own():
    torch.manual_seed(0)
    return SplitClassifier.linear(TimmBackbone("tf_efficientnet_lite0"), 3)


def test_own_classifiers_are_explained_as_they_are(own, state_of):
    own.train()
    before = state_of(own)
    found = wsss.cam(own, picture(70, 90), [0, 1], method="cam")
    assert state_of(own) == before
    own.eval()
    seen = torch.from_numpy(picture(70, 90)).permute(2, 0, 1)[None] / 255
    seen = F.interpolate(seen, (64, 96), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = torch.einsum("ck,khw->chw", own.head.weight[:2], own.features(seen)[0])
    torch.testing.assert_close(found.raw, expected, rtol=1e-4, atol=1e-6)
    assert isinstance(own.head, LinearHead)


def test_own_classifiers_show_layers_by_their_short_names(own):
    short = wsss.cam(own, picture(64, 64), 1, layer="blocks.4")
    module = wsss.cam(own, picture(64, 64), 1, layer=own.inner_layers["blocks.4"])
    assert torch.equal(short.raw, module.raw)
    assert short.raw.shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"normalise": (0.5, 0.5)}, "normalise: .*three numbers"),
        ({"normalise": ((0.5,) * 3, (0.5, 0.5, 0))}, "normalise: .*std above 0"),
        ({"normalise": "imagenette"}, "normalise: 'imagenette'.*`(mean, std)`"),
        ({"normalise": 3}, "normalise: 3"),
        ({"size": "224"}, "size: '224'. Expected a whole number of pixels"),
        ({"size": 0}, "size: 0. Expected a whole number of pixels, 1 or more"),
        ({"size": (32, 0)}, "size: (32, 0)"),
        ({"size": (32, 32, 3)}, "size: (32, 32, 3)"),
        ({"size": True}, "size: True"),
        ({"size": 100_000}, "size: 100000: a longer side of 150,000 px. Expected at most 8,192"),
        ({"size": (1, 1)}, "Or set `size` larger: the input is 1 × 1 px"),
        ({"layer": 3}, "layer: 3. Expected the name of a layer, or the module"),
        ({"class_": "top0"}, "class_: top0. Expected top1"),
        ({"class_": "281"}, "class_: '281', which is text.*Write it without quotes: `class_=281`"),
    ],
)
def test_other_arguments_are_refused_in_words(options, words):
    pattern = re.sub(r"([()])", r"\\\1", words)
    with pytest.raises(WsssError, match=pattern):
        wsss.cam(resnet(), picture(), **options)


def test_statistics_have_a_name():
    network, image = Branching(), picture()
    named = wsss.cam(network, image, 1, normalise="imagenet").raw
    assert torch.equal(named, wsss.cam(network, image, 1).raw)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (KeyError("boom"), r"network fails on the image \(KeyError: 'boom'\).*own `forward`"),
        (RuntimeError("expected scalar type Half"), "network fails on the image"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "refuses the image at 64 × 96"),
        (AssertionError("Input height (64) doesn't match model (224)"), "refuses the image.*`size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "no memory is left.*smaller"),
    ],
)
def test_an_error_of_the_network_is_shown_as_its_own_unless_it_is_about_the_size(failure, words):
    class Failing(Branching):
        def forward(self, images):
            raise failure

    with pytest.raises(WsssError, match=words) as refusal:
        wsss.cam(Failing(), picture())
    assert refusal.value.__cause__ is failure


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_torchscript_is_refused_as_such():
    with pytest.raises(WsssError, match=r"TorchScript.*before `torch\.jit\.script`"):
        wsss.cam(torch.jit.trace(ThreeConvolutions().eval(), torch.zeros(1, 3, 8, 8)), picture())


@pytest.mark.parametrize(
    ("asked", "of"),
    [
        ("predicted", lambda ranked: ranked[:1]),
        ("Top3", lambda ranked: ranked[:3]),
        (["top2", "predicted"], lambda ranked: ranked[:2]),
        (["sofa", "top2"], lambda ranked: list(dict.fromkeys([2, *ranked[:2]]))),
    ],
)
def test_the_words_of_explain_for_probable_classes(asked, of):
    network, image = Branching(), picture()
    with torch.no_grad():
        ranked = network(normalised(image))[0].argsort(descending=True).tolist()
    names = ["cat", "dog, hound", "sofa", "bird"]
    assert wsss.cam(network, image, asked, names=names).classes == tuple(of(ranked))
    if asked == "Top3":
        assert wsss.cam(network, image, asked).classes == tuple(of(ranked))


def test_help_shows_names_of_aliases():
    shown = str(inspect.signature(wsss.cam))
    assert "ClassLike" in shown
    for noise in ("collections.abc", "Union", "typing", "ndarray"):
        assert noise not in shown


# What is shown.


def test_a_result_is_described_in_a_line():
    names = ["cat", "dog, hound", "sofa", "bird"]
    shown = repr(wsss.cam(Branching(), picture(), ["dog", 2], names=names))
    assert re.fullmatch(
        r"ActivationMaps\(dog 0\.\d\d, sofa 0\.\d\d; maps of 64 × 96 px in \[0, 1\], from raw ones "
        r"of 16 × 24, -?[\d.e-]+…-?[\d.e-]+\)",
        shown,
    )
    assert repr(wsss.cam(Branching(), picture(), 3)).startswith("ActivationMaps(class 3 0.")


def test_an_overlay_is_asked_for_by_position_or_name():
    names = ["cat", "dog, hound", "sofa", "bird"]
    found = wsss.cam(Branching(), picture(), [2, 1], names=names)
    assert found.overlay("Hound").tobytes() == found.overlay(1).tobytes()
    assert found.overlay().tobytes() == found.overlay("sofa").tobytes()
    for wrong in ("cat", "a", None, 2, -3, 0.5):
        with pytest.raises(WsssError, match=r"a position 0…1 .*names: `sofa`, `dog, hound`"):
            found.overlay(wrong)


def test_the_overlay_is_a_picture_of_the_image_size(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture(40, 50)).save(path)
    found = wsss.cam(resnet(), path, [0, 1])
    assert found.overlay().size == (50, 40)
    assert not np.array_equal(found.overlay(0), found.overlay(1))
    png = found._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert "picture" not in repr(found)
