import math
import pickle

import numpy as np
import pytest
import timm
import torch
from torch.nn import functional as F

from wsss.errors import WsssError
from wsss.models import Segmenter, TimmBackbone, VitBackbone
from wsss.models.efficientnet_lite import VARIANTS, names_to_timm
from wsss.models.weights import load_state_dict, weights_file

LITE0 = "tf_efficientnet_lite0"
# Stride and number of the blocks of each stage of Lite0, and how much deeper the others are
# (Liu, EfficientNet-Lite, 2020): all stages but the first and the last.
STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))
DEPTHS = {LITE0: 1.0, "tf_efficientnet_lite1": 1.1, "tf_efficientnet_lite2": 1.2}


def same(x, weight, stride, groups=1):
    """A convolution with TensorFlow's SAME padding, which puts the odd pixel at the end."""
    kernel = weight.shape[-1]
    pads = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def reference_logits(state, x, depth=1.0):
    """EfficientNet-Lite written out under the packages' own names."""

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = F.relu6(norm(same(x, state["_conv_stem.weight"], 2), "_bn0"))
    index = 0
    for stage, (stride, count) in enumerate(STAGES):
        inner = 0 < stage < len(STAGES) - 1
        for number in range(math.ceil(depth * count) if inner else count):
            block, y = f"_blocks.{index}", x
            if stage > 0:
                y = F.relu6(
                    norm(F.conv2d(y, state[f"{block}._expand_conv.weight"]), f"{block}._bn0")
                )
            depthwise = state[f"{block}._depthwise_conv.weight"]
            y = same(y, depthwise, stride if number == 0 else 1, groups=y.shape[1])
            y = F.relu6(norm(y, f"{block}._bn1"))
            y = norm(F.conv2d(y, state[f"{block}._project_conv.weight"]), f"{block}._bn2")
            x = x + y if number > 0 else y
            index += 1
    x = F.relu6(norm(F.conv2d(x, state["_conv_head.weight"]), "_bn1"))
    return F.linear(x.mean(dim=(2, 3)), state["_fc.weight"], state["_fc.bias"])


@pytest.mark.parametrize("name", VARIANTS)
def test_the_packages_weights_mean_the_same_to_timm(name):
    original = torch.load(weights_file(name, "package"), weights_only=True)
    network = timm.create_model(name).eval()
    network.load_state_dict(names_to_timm(original), strict=True)
    network.double()
    original = {name: value.double() for name, value in original.items()}
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 96, 128, dtype=torch.float64, generator=generator)
    with torch.inference_mode():
        expected, found = reference_logits(original, images, DEPTHS[name]), network(images)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9, atol=1e-9)


def test_the_variant_without_tf_is_another_network():
    original = torch.load(weights_file(LITE0, "package"), weights_only=True)
    network = timm.create_model("efficientnet_lite0").eval()
    network.load_state_dict(names_to_timm(original), strict=True)
    images = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert (network(images) - reference_logits(original, images)).abs().max() > 0.1


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file(tmp_path, suffix):
    from safetensors.torch import save_file

    path = tmp_path / f"weights{suffix}"
    state = timm.create_model("resnet18").state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    backbone = TimmBackbone("resnet18", str(path), output_stride=16)
    own = backbone.network.state_dict()
    assert all(torch.equal(own[key], state[key]) for key in own)
    assert backbone(torch.rand(1, 3, 64, 96)).shape == (1, 512, 4, 6)


def test_a_file_that_runs_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "trap.pth"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WsssError, match=r"trap\.pth.*cannot be read as weights"):
        load_state_dict("resnet18", str(path))
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network(tmp_path):
    path = tmp_path / "r18.pth"
    torch.save(timm.create_model("resnet18").state_dict(), path)
    with pytest.raises(WsssError, match="parameters missing"):
        TimmBackbone("resnet34", str(path))


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("resnet50", "package", "no installed package"),
        ("resnet50", "gone.pth", "no such weight file"),
    ],
)
def test_missing_weights(name, weights, words):
    with pytest.raises(WsssError, match=words):
        TimmBackbone(name, weights)


DEIT = "deit_tiny_patch16_224"
FROM_HUB = {
    "resnet18": lambda: TimmBackbone("resnet18", "hub"),
    DEIT: lambda: VitBackbone(DEIT, "hub"),
    "resnet34": lambda: Segmenter("DeepLabV3Plus", "resnet34", "hub", 2),
}


@pytest.mark.parametrize("name", FROM_HUB)
def test_a_hub_out_of_reach(offline, name):
    with pytest.raises(WsssError) as refusal:
        FROM_HUB[name]()
    (problem,) = refusal.value.problems
    assert problem.where == "weights=hub"
    assert f"the weights of `{name}` are not in the cache" in problem.came
    assert "name a .safetensors or .pth file instead" in problem.remedy


@pytest.mark.parametrize("name", ["resnet18", DEIT])
def test_weights_of_a_hub_are_the_networks(monkeypatch, name):
    hub = timm.create_model(name)
    monkeypatch.setattr("wsss.models.weights.timm_network", lambda _: hub)
    own, state = FROM_HUB[name]().network.state_dict(), hub.state_dict()
    assert own
    assert all(torch.equal(own[key], state[key]) for key in own)
