import pytest
import torch
from torch import nn

from wsss.models import feature_maps as module
from wsss.models.feature_maps import feature_maps


class Counting(nn.Sequential):
    """A small network that notes how many images it sees at once."""

    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.seen = []

    def forward(self, x):
        self.seen.append(len(x))
        return super().forward(x)


@pytest.mark.parametrize(
    ("bound_px", "seen"), [(8 * 60, [8]), (3 * 60, [3, 3, 2]), (60, [1] * 8), (7, [1] * 8)]
)
def test_a_batch_is_computed_in_parts(monkeypatch, bound_px, seen):
    monkeypatch.setattr(module, "CPU_PX", bound_px)
    torch.manual_seed(0)
    network, images = Counting().eval(), torch.rand(8, 3, 6, 10)
    with torch.no_grad():
        maps = feature_maps(network, images)
        assert network.seen == seen
        torch.testing.assert_close(maps, network(images))


def test_there_may_be_no_image(monkeypatch):
    monkeypatch.setattr(module, "CPU_PX", 1)
    assert feature_maps(Counting().eval(), torch.rand(0, 3, 6, 10)).shape == (0, 4, 6, 10)
