import pytest
import timm
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from wsss.errors import InvalidOptionError
from wsss.models import TimmBackbone, VitBackbone
from wsss.tasks.schedule import layer_decay_groups, parameter_groups, poly_schedule


def test_poly_schedule_in_closed_form():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = poly_schedule(optimizer, total_steps=10)
    for step in range(11):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * (1 - step / 10) ** 0.9)
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0


def test_frozen_parameters_are_left_out_and_heads_learn_faster():
    trunk, head = nn.Linear(2, 2), nn.Linear(2, 1)
    trunk.bias.requires_grad_(False)
    groups = parameter_groups(trunk.parameters(), head.parameters(), lr=0.1, head_lr_factor=10)
    assert [group["lr"] for group in groups] == [0.1, pytest.approx(1.0)]
    assert [len(group["params"]) for group in groups] == [1, 2]
    trunk.weight.requires_grad_(False)
    (only,) = parameter_groups(trunk.parameters(), head.parameters(), lr=0.1, head_lr_factor=10)
    assert only["params"] == list(head.parameters())


def rates(groups, network):
    """Learning rate and own weight decay of every parameter, by its name."""
    names = {id(one): name for name, one in network.named_parameters()}
    return {
        names[id(one)]: (group["lr"] * group.get("lr_scale", 1), group.get("weight_decay"))
        for group in groups
        for one in group["params"]
    }


TRANSFORMERS = ["deit_tiny_patch16_224", "vit_small_patch16_dinov3", "vit_base_patch16_siglip_224"]


@pytest.fixture
def shallow(monkeypatch):
    create = timm.create_model

    def created(name, **options):
        small = {} if "patch" not in name else {"embed_dim": 32, "depth": 3, "num_heads": 2}
        return create(name, **small, **options)

    monkeypatch.setattr(timm, "create_model", created)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_each_layer_learns_slower_than_the_next_by_the_same_factor(shallow, name):
    network = VitBackbone(name).network
    found = rates(layer_decay_groups(network, 0.1, 0.75), network)
    assert {*found} == {parameter for parameter, _ in network.named_parameters()}
    for parameter, (lr, decay) in found.items():
        first = parameter.split(".")[0]
        layer = {"blocks": 1, "norm": 3}.get(first, 0)
        layer += int(parameter.split(".")[1]) if first == "blocks" else 0
        assert lr == pytest.approx(0.1 * 0.75 ** (3 - layer)), parameter
        bare = network.get_parameter(parameter).ndim == 1 or first.endswith(("token", "embed"))
        bare = (bare and first != "patch_embed") or parameter.endswith(".bias")
        assert decay == (0.0 if bare else None), parameter


@pytest.mark.parametrize("name", [*TRANSFORMERS, "convnext_atto", "resnet18"])
def test_rates_of_layers_are_those_of_timms_optimisers(shallow, name):
    make = VitBackbone if "patch" in name else TimmBackbone
    network = make(name, freeze="stem").network
    timms = create_optimizer_v2(network, "sgd", lr=0.1, weight_decay=0.02, layer_decay=0.6)
    ours = torch.optim.SGD(layer_decay_groups(network, 0.1, 0.6), lr=0.1, weight_decay=0.02)
    expected, found = (rates(one.param_groups, network) for one in (timms, ours))
    assert {*found} == {n for n, p in network.named_parameters() if p.requires_grad}
    assert {*expected} == {*found}
    for parameter, (lr, decay) in expected.items():
        assert found[parameter] == (pytest.approx(lr), decay), parameter
    assert len({lr for lr, _ in found.values()}) > 2


def test_a_network_without_layers_of_its_own_has_no_decay_by_layers():
    with pytest.raises(InvalidOptionError, match="does not tell its layers"):
        layer_decay_groups(nn.Linear(2, 2), 0.1, 0.75)
