"""A user's own classifier, compared with the network that timm makes of the same file."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from wsss.errors import WsssError
from wsss.models.own_classifier import own_classifier

NAME = "resnet18"
SIDE_PX = 96


def trained(name=NAME, num_classes=3, **options):
    """A network that is not fresh: batch norm has statistics."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=num_classes, **options)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return network.eval()


def logits(network, images):
    """Of RGB images in [0, 1], as a user of timm computes them."""
    config = network.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        return network((images - mean) / std)


@pytest.fixture
def images():
    return torch.rand(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "wrapper"),
    [
        (NAME, ""), (NAME, "module."), (NAME, "model.net."), ("tf_efficientnet_lite0", ""),
        ("regnetx_002", ""),
    ],
)  # fmt: skip
def test_logits_at_its_own_stride_are_timms(tmp_path, images, name, wrapper):
    network = trained(name)
    state = {f"{wrapper}{key}": one for key, one in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "own.pth")
    model = own_classifier(f"timm:{name}", str(tmp_path / "own.pth"), output_stride=32)
    assert model.multi_label
    torch.testing.assert_close(model(images), logits(network, images), rtol=1e-4, atol=1e-5)
    assert not any(one.requires_grad for one in model.parameters())
    assert model.inner_layers


def test_dilated_it_has_maps_of_a_finer_stride(tmp_path, images):
    save_file(trained().state_dict(), tmp_path / "own.safetensors")
    model = own_classifier(f"timm:{NAME}", str(tmp_path / "own.safetensors"))
    assert model.features(images).shape[2:] == (SIDE_PX // 16, SIDE_PX // 16)


def test_a_network_that_cannot_be_dilated_keeps_its_own_stride(tmp_path, images):
    network = trained("densenet121")
    path = tmp_path / "own.pth"
    torch.save(network.state_dict(), path)
    with pytest.raises(WsssError, match=r"output_stride=16: `densenet121` cannot be dilated"):
        own_classifier("timm:densenet121", str(path))
    model = own_classifier("timm:densenet121", str(path), output_stride=32)
    torch.testing.assert_close(model(images), logits(network, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("head", "bias"), [("head.fc", True), ("my_layer.1", False)])
def test_the_head_may_have_any_name_and_no_bias(tmp_path, images, head, bias):
    network = trained()
    if not bias:
        network.fc.bias.data.zero_()
    state = {key.replace("fc.", f"{head}."): one for key, one in network.state_dict().items()}
    if not bias:
        del state[f"{head}.bias"]
    torch.save(state, tmp_path / "own.pth")
    model = own_classifier(f"timm:{NAME}", str(tmp_path / "own.pth"), output_stride=32)
    assert (model.head.bias is not None) == bias
    torch.testing.assert_close(model(images), logits(network, images), rtol=1e-4, atol=1e-5)


def test_outputs_are_kept_in_the_order_that_is_asked_for(tmp_path, images):
    network = trained(num_classes=5)
    torch.save(network.state_dict(), tmp_path / "own.pth")
    model = own_classifier(f"timm:{NAME}", str(tmp_path / "own.pth"), [4, 0], output_stride=32)
    expected = logits(network, images)[:, [4, 0]]
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)


def test_networks_of_bgr_images_and_statistics_of_ones_own(tmp_path, images):
    network = trained()
    torch.save(network.state_dict(), tmp_path / "own.pth")
    mean, std = [0.1, 0.2, 0.3], [0.9, 0.8, 0.7]
    options = {"mean": mean, "std": std, "channels": "bgr", "output_stride": 32}
    model = own_classifier(f"timm:{NAME}", str(tmp_path / "own.pth"), **options)
    bgr = images[:, [2, 1, 0]]
    with torch.no_grad():
        expected = network(
            (bgr - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
        )
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(WsssError, match="2 numbers for 3 channels"):
        own_classifier(f"timm:{NAME}", str(tmp_path / "own.pth"), mean=[0.5, 0.5])


def test_bgr_leaves_timms_statistics_with_their_colours(tmp_path, images):
    network = trained()
    torch.save(network.state_dict(), tmp_path / "own.pth")
    options = {"channels": "bgr", "output_stride": 32}
    model = own_classifier(f"timm:{NAME}", str(tmp_path / "own.pth"), **options)
    mean, std = (torch.tensor(network.pretrained_cfg[key]) for key in ("mean", "std"))
    with torch.no_grad():
        normalised = (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        expected = network(normalised[:, [2, 1, 0]])
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "convnext_atto", "mobilenetv3_small_050"])
def test_networks_without_class_activation_maps_are_refused(tmp_path, name):
    torch.save(trained(name).state_dict(), tmp_path / "own.pth")
    with pytest.raises(WsssError, match=rf"model=timm:{name}: its head is another function"):
        own_classifier(f"timm:{name}", str(tmp_path / "own.pth"))


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        ("resnet18", None, "model=resnet18: it names no network of timm. Expected `timm:resnet18`"),
        ("timm:resnet81", None, "Expected `timm:resnet"),
        ("timm:resnet34", None, "parameters missing"),
        ("timm:resnet18", lambda state: state.pop("fc.weight"), "besides the network .* 'fc.bias'"),
        (
            "timm:resnet18",
            lambda state: state.update({"other.weight": torch.zeros(3, 512)}),
            "besides the network .* 'other.weight'",
        ),
        ("timm:resnet18", lambda state: state.pop("conv1.weight"), "1 parameters missing"),
        (
            "timm:resnet18",
            lambda state: state.update({"conv1.weight": torch.zeros(64, 1, 7, 7)}),
            "1 of another shape",
        ),
    ],
)
def test_files_of_other_networks_are_refused(tmp_path, model, change, said):
    state = trained().state_dict()
    if change is not None:
        change(state)
    torch.save(state, tmp_path / "own.pth")
    with pytest.raises(WsssError, match=said):
        own_classifier(model, str(tmp_path / "own.pth"))


def test_a_missing_file(tmp_path):
    with pytest.raises(WsssError, match="no such weight file"):
        own_classifier(f"timm:{NAME}", str(tmp_path / "own.pth"))
