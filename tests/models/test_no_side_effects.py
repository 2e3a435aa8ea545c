from contextlib import suppress

import pytest
import torch
from torch import nn

from wsss.models.no_side_effects import unchanged
from wsss.models.normalisation import Normalisation
from wsss.models.split_by_graph import cut


class Counting(nn.Module):
    """A module that changes its buffers in every mode: one in place, one by assignment."""

    def __init__(self):
        super().__init__()
        self.register_buffer("in_place", torch.zeros(()))
        self.register_buffer("assigned", torch.zeros(()))

    def forward(self, x):
        self.in_place += 1
        self.assigned = self.assigned + 1
        return x


def make():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), Counting(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(6, 5),
    )  # fmt: skip
    network[0].requires_grad_(False)
    network[7].eval()
    network(torch.randn(2, 3, 16, 16)).sum().backward()
    return network.train()


@pytest.fixture
def network():
    return make()


def test_everything_is_as_before_even_after_an_error(network, state_of):
    network[1].eval()
    before = state_of(network)
    with suppress(KeyError), unchanged(network):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        network.train()
        network(torch.rand(2, 3, 16, 16))
        torch.rand(3)
        raise KeyError
    assert state_of(network) == before


def test_a_graph_that_waits_for_backward_still_can(network):
    loss = network.eval()(torch.rand(2, 3, 16, 16)).sum()
    with unchanged(network):
        network[:4](torch.rand(2, 3, 16, 16))
    loss.backward()


def test_cutting_leaves_the_network_as_it_was(network, state_of):
    before = state_of(network)
    model = cut(network, "mine", Normalisation((0.5,) * 3, (0.2,) * 3), side_px=32)
    assert state_of(network) == before
    assert model.num_classes == 5
    with unchanged(model):
        assert model(torch.rand(1, 3, 32, 32)).shape == (1, 5)


def test_the_state_notices_what_it_should(network, state_of):
    whole = state_of(network)
    for change in (
        lambda n: n[0].requires_grad_(True),
        lambda n: n[3].weight.grad.add_(1),
        lambda n: n[1].running_mean.add_(1),
        lambda n: n[7].train(not n[7].training),
        lambda n: n[2].register_forward_hook(print),
        lambda _: torch.rand(1),
    ):
        other = make()
        assert state_of(other) == whole
        change(other)
        assert state_of(other) != whole
