"""Several networks as one backbone."""

import pytest
import torch

from wsss.cams.cam import CAM
from wsss.errors import UnsupportedError, WsssError
from wsss.models import JoinedBackbones, SplitClassifier, TimmBackbone
from wsss.models.hypercolumns import hypercolumns
from wsss.models.last_block import cut_before_last_stage
from wsss.models.saved_networks import load_classifier, save_classifier
from wsss.refine import HypercolumnProbe

FIRST, SECOND = "tf_efficientnet_lite0", "resnet18"
NAME = f"{FIRST}+{SECOND}"
IMAGES = torch.rand(2, 3, 64, 90, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def joined():
    return JoinedBackbones(NAME, None, output_stride=16, freeze="backbone").eval()


@pytest.fixture(scope="module")
def alone(joined):
    networks = []
    for index, name in enumerate((FIRST, SECOND)):
        network = TimmBackbone(name, None, output_stride=16).eval().requires_grad_(False)
        prefix = f"network.{index}."
        state = joined.state_dict()
        network.load_state_dict(
            {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
        )
        networks.append(network)
    return networks


def test_features_are_those_of_each_network_side_by_side(joined, alone):
    features = joined(IMAGES)
    assert joined.num_features == features.shape[1] == 1280 + 512
    assert torch.equal(features, torch.cat([network(IMAGES) for network in alone], dim=1))


def test_a_map_is_the_sum_of_the_networks_maps(joined, alone):
    model = SplitClassifier.linear(joined, 3)
    classes = torch.tensor([[0, 2], [1, 1]])
    found = CAM().maps(model, IMAGES, classes)
    parts = []
    for network, weight in zip(alone, model.head.weight.split((1280, 512), dim=1), strict=True):
        one = SplitClassifier.linear(network, 3)
        one.head.linear.weight = torch.nn.Parameter(weight)
        parts.append(CAM().maps(one, IMAGES, classes))
    torch.testing.assert_close(found, parts[0] + parts[1], rtol=1e-4, atol=1e-5)


def test_inner_layers_are_those_of_all_by_network(joined, alone):
    names = [f"{network.name}.{name}" for network in alone for name in network.inner_layers]
    assert list(joined.inner_layers) == names
    layers = [joined.inner_layers[f"{FIRST}.blocks.2"], joined.inner_layers[f"{SECOND}.layer2"]]
    columns = hypercolumns(joined, layers, IMAGES)
    assert columns.shape == (2, 1280 + 512 + 40 + 128, 4, 6)


def test_a_probe_sees_each_network_by_itself(joined, alone):
    model = SplitClassifier.linear(joined, 2)
    probe = HypercolumnProbe([f"{SECOND}.layer2", f"{FIRST}.blocks.2"])
    expected = [
        hypercolumns(network, [network.inner_layers[name]], IMAGES)
        for network, name in zip(alone, ("blocks.2", "layer2"), strict=True)
    ]
    found = probe.features(model, IMAGES)
    assert len(found) == 2
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert probe.num_features(model) == [1280 + 40, 512 + 128]
    every = [1280 + 16 + 24 + 40 + 112 + 320, 512 + 64 + 64 + 128 + 256 + 512]
    assert HypercolumnProbe().num_features(model) == every
    with pytest.raises(WsssError, match=f"some of {FIRST}.blocks.0"):
        HypercolumnProbe(["blocks.2"]).check(model)


def test_it_is_saved_by_its_name(joined, tmp_path):
    model = SplitClassifier.linear(joined, 2).eval()
    save_classifier(tmp_path, model, ("cat", "dog"))
    again, names = load_classifier(tmp_path)
    assert names == ("cat", "dog")
    assert again.features.name == NAME
    assert torch.equal(again(IMAGES), model(IMAGES))


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("backbone", set()),
        ("stem", {"network.0.network.blocks", "network.1.network.layer1"}),
        ("none", {"network.0.network.conv_stem", "network.1.network.conv1"}),
    ],
)
def test_freezing_is_that_of_each(freeze, trained):
    network = JoinedBackbones(NAME, None, freeze=freeze)
    learning = {
        ".".join(name.split(".")[:4])
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    }
    assert learning >= trained
    assert bool(learning) == (freeze != "backbone")
    if freeze == "stem":
        assert not learning & {"network.0.network.conv_stem", "network.1.network.conv1"}


def test_statistics_of_batches_are_not_learnt():
    network = JoinedBackbones(NAME, None).train()
    before = {key: value.clone() for key, value in network.named_buffers()}
    network(IMAGES)
    assert all(torch.equal(value, before[key]) for key, value in network.named_buffers())


@pytest.mark.parametrize("name", [FIRST, "", f"{FIRST}+{FIRST}"])
def test_one_network_is_not_enough(name):
    with pytest.raises(WsssError, match="two or more different networks"):
        JoinedBackbones(name)


def test_a_network_that_timm_does_not_have_is_told():
    with pytest.raises(WsssError, match=r"resnet5o.*resnet50"):
        JoinedBackbones(f"{FIRST}+resnet5o")


def test_there_is_no_last_stage_to_copy(joined):
    with pytest.raises(UnsupportedError, match="its last stage also takes"):
        cut_before_last_stage(joined)
