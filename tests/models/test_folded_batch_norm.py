"""Folding batch norms: the same outputs in float64, and no more folded than may be."""

import pytest
import torch
from torch import nn

from wsss.models import Segmenter
from wsss.models.backbones import Backbone, TimmBackbone
from wsss.models.folded_batch_norm import BatchNorm, folded
from wsss.models.hypercolumns import hypercolumns
from wsss.models.joined_backbones import JoinedBackbones


def lively(network: nn.Module) -> nn.Module:
    """The network in float64, with batch norms that do something."""
    torch.manual_seed(0)
    for layer in norms(network):
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
        if layer.affine:
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
    return network.double().eval()


def norms(network: nn.Module) -> list[BatchNorm]:
    return [layer for layer in network.modules() if isinstance(layer, BatchNorm)]


def assert_same_outputs(network: nn.Module, other: nn.Module, side_px: int = 64) -> None:
    images = torch.rand(2, 3, side_px, side_px, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(other(images), network(images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (lambda: TimmBackbone("resnet10t"), 0),
        (lambda: TimmBackbone("tf_efficientnet_lite0"), 0),
        (lambda: JoinedBackbones("mobilenetv2_035+resnet10t"), 0),
        (lambda: Segmenter("DeepLabV3Plus", "mobilenetv2_035", None, 3, decoder_channels=16), 0),
        (lambda: nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1)), 1),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=True), nn.BatchNorm2d(4, affine=False)), 0),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)), 1),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 2, groups=1), nn.BatchNorm2d(4), nn.Sigmoid()), 0),
    ],
)
def test_outputs_stay_the_same_in_float64(build, left):
    network = lively(build())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    other = folded(network, network)
    assert len(norms(other)) == left
    assert_same_outputs(network, other)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


class Reused(nn.Module):
    """A convolution, a batch norm, or the tensor between them, that has another use."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        one = self.first(images)
        if self.what == "tensor":
            return self.norm(one) + one.relu()
        if self.what == "convolution":
            return self.norm(one) + self.other(self.first(one))
        return self.norm(one) + self.norm(self.second(images))


@pytest.mark.parametrize("what", ["tensor", "convolution", "norm"])
def test_what_is_used_twice_is_not_folded(what):
    network = lively(Reused(what))
    other = folded(network, network)
    assert len(norms(other)) == len(norms(network))
    assert_same_outputs(network, other)


def test_a_batch_norm_of_batches_is_not_folded():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    assert folded(network, network) is network


class OneSize(nn.Sequential):
    """A network of images of 96 px."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.shape[-1] != 96:
            raise ValueError("96 px, please")
        return super().forward(images)


def test_a_network_of_one_image_size_stays_as_it_is():
    network = lively(OneSize(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))
    assert folded(network, network) is network


def test_what_does_not_change_is_shared():
    network = lively(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)))
    other = folded(network, network)
    assert other[2].weight is network[2].weight
    assert isinstance(other[1], nn.Identity)


def test_inner_layers_keep_their_names_and_outputs():
    network = lively(TimmBackbone("resnet10t"))
    other = folded(network, network)
    assert isinstance(other, Backbone)
    assert list(other.inner_layers) == list(network.inner_layers)
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    for name, layer in network.inner_layers.items():
        with torch.no_grad():
            expected = hypercolumns(network, [layer], images)
            found = hypercolumns(other, [other.inner_layers[name]], images)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
