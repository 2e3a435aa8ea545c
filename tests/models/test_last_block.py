import pytest
import torch

from wsss.errors import WsssError
from wsss.models import PairNetworks, TimmBackbone, VitBackbone
from wsss.models.last_block import boundary, cut_before_last_stage
from wsss.models.saved_networks import load_pair_heads, save_pair_heads

NETWORKS = {"tf_efficientnet_lite0": 1e6, "resnet18": 8e6}
"""The number of weights that the last stage and all behind it have at least."""


@pytest.fixture(params=NETWORKS)
def backbone(request):
    torch.manual_seed(0)
    return TimmBackbone(request.param).double().eval()


@torch.no_grad()
def test_the_parts_one_after_the_other_are_the_network(backbone):
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    seen = []
    boundary(backbone).register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    expected = backbone(images)
    first, second = cut_before_last_stage(backbone)
    inner = first(images)
    assert len(seen) == 2  # Hooks on the network's own layers keep firing in its first part.
    assert torch.equal(inner, seen[0])
    torch.testing.assert_close(second(inner), expected, rtol=1e-9, atol=1e-12)


def test_the_last_stage_is_a_copy_of_what_is_behind_the_boundary_alone(backbone):
    first, second = cut_before_last_stage(backbone)
    own = {weight.data_ptr() for weight in backbone.parameters()}
    assert {weight.data_ptr() for weight in first.parameters()} <= own
    assert own.isdisjoint(weight.data_ptr() for weight in second.parameters())
    numbers = [sum(weight.numel() for weight in one.parameters()) for one in (first, second)]
    assert sum(numbers) == sum(weight.numel() for weight in backbone.parameters())
    assert numbers[1] > NETWORKS[backbone.name]


def test_a_transformer_has_no_last_stage_to_cut_off():
    with pytest.raises(WsssError, match=r"^deit_tiny.*two stages or more"):
        cut_before_last_stage(VitBackbone("deit_tiny_patch16_224"))


def test_networks_of_pairs_come_back_with_their_stages(backbone, tmp_path):
    _, stage = cut_before_last_stage(backbone)
    pairs = torch.tensor([0, 1, 2]), torch.tensor([1, 0, 0])
    networks = PairNetworks(*pairs, 3, backbone.num_features, stage)
    with torch.no_grad():
        for weight in networks.parameters():
            weight.normal_()
    save_pair_heads(tmp_path, networks, ("cat", "dog", "horse"))
    found = load_pair_heads(tmp_path, backbone)
    assert isinstance(found, PairNetworks)
    assert not found.training
    assert not any(weight.requires_grad for weight in found.parameters())
    expected = networks.state_dict()
    assert found.state_dict().keys() == expected.keys()
    for name, value in found.state_dict().items():
        torch.testing.assert_close(value.double(), expected[name].double(), rtol=0, atol=0)
