"""The heads' shapes, sizes and gradients."""

import pytest
import torch

from wsss.models import AffinityHeads
from wsss.models.saved_networks import load_affinity_heads, save_affinity_heads

CHANNELS = (8, 12, 16, 24, 32)
LAYERS = ("a", "b", "c", "d", "e")


def maps_of(channels=CHANNELS):
    torch.manual_seed(0)
    sides = [32, 16, 8, 4, 4]
    return [torch.randn(2, one, side, side) for one, side in zip(channels, sides, strict=False)]


def test_boundaries_are_what_the_convolutions_say():
    heads = AffinityHeads(LAYERS, CHANNELS, None).double()
    maps = [one.double() for one in maps_of()]
    found = heads.boundary(maps, (16, 12))
    resized = []
    for branch, one in zip(heads.boundary.branches, maps, strict=True):
        convolved = torch.einsum("oc,bchw->bohw", branch[0].weight[:, :, 0, 0], one)
        grouped = convolved.reshape(2, 4, 8, *one.shape[2:])
        deviation = grouped.var(dim=(2, 3, 4), unbiased=False, keepdim=True).add(1e-5).sqrt()
        normal = (grouped - grouped.mean(dim=(2, 3, 4), keepdim=True)) / deviation
        active = normal.reshape(convolved.shape).clamp(min=0)
        resized.append(
            torch.nn.functional.interpolate(active, (16, 12), mode="bilinear", align_corners=False)
        )
    weight, bias = heads.boundary.fuse.weight[0, :, 0, 0], heads.boundary.fuse.bias
    expected = torch.einsum("c,bchw->bhw", weight, torch.cat(resized, dim=1)) + bias
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("width", [4, 64])
def test_any_number_of_layers_will_do(count, width):
    heads = AffinityHeads(LAYERS[:count], CHANNELS[:count], width)
    maps = maps_of(CHANNELS[:count])
    assert heads.boundary(maps, (9, 7)).shape == (2, 9, 7)
    displacement = heads.displacement(maps, (9, 7))
    assert displacement.shape == (2, 2, 9, 7)
    displacement.square().sum().backward()
    assert all(parameter.grad is not None for parameter in heads.displacement.parameters())


def test_widths_are_the_papers():
    heads = AffinityHeads(LAYERS, (64, 256, 512, 1024, 2048), 256)
    widths = [branch[0].out_channels for branch in heads.displacement.branches]
    assert widths == [64, 128, 256, 256, 256]
    fused = (heads.displacement.fuse_deep[0].in_channels, heads.displacement.fuse[0][0].in_channels)
    assert fused == (768, 448)


def test_boundaries_do_not_depend_on_whether_there_is_a_displacement_branch():
    both = []
    for width in (None, 64):
        torch.manual_seed(3)
        both.append(AffinityHeads(LAYERS, CHANNELS, width).boundary.state_dict())
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])


@pytest.mark.parametrize("width", [None, 16])
def test_heads_come_back_from_their_file(tmp_path, width):
    heads = AffinityHeads(LAYERS, CHANNELS, width)
    save_affinity_heads(tmp_path, heads)
    again = load_affinity_heads(tmp_path)
    assert (again.layers, again.channels) == (LAYERS, CHANNELS)
    assert not any(parameter.requires_grad for parameter in again.parameters())
    state = heads.state_dict()
    assert again.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())
