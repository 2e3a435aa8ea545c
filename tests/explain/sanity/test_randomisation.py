import copy

import numpy as np
import pytest
import torch
from torch import nn

from wsss.explain.sanity.network_blocks import Block, blocks_of
from wsss.explain.sanity.randomisation import cascade, randomise
from wsss.models import SplitClassifier, TimmBackbone, VisionGnnBackbone, VitBackbone
from wsss.models.classifier import LinearHead
from wsss.models.pretrained import pretrained_classifier

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class Features(nn.Module):
    """Registered out of order; with a list of parts, a part that sees nothing, and an embedding."""

    def __init__(self):
        super().__init__()
        self.network = nn.Module()
        self.network.place = nn.Parameter(torch.arange(4.0)[:, None, None])
        self.network.last = nn.Conv2d(4, 4, 1)
        self.network.stages = nn.Sequential(
            nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        )
        self.network.stem = nn.Conv2d(3, 4, 1)
        self.network.idle = nn.Linear(4, 4)

    def forward(self, images):
        net = self.network
        return net.last(net.stages(net.stem(images) + net.place)).relu()


@pytest.fixture
def model():
    torch.manual_seed(3)
    model = SplitClassifier(Features(), LinearHead(4, 2, bias=True)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand_like(parameter))
        model.features.network.stages[1].running_var.fill_(7)
    return model


def networks():
    yield SplitClassifier.linear(TimmBackbone("tf_efficientnet_lite0", "package"), 3)
    yield SplitClassifier.linear(VitBackbone("vit_mini_patch8", None, 8), 3)
    yield SplitClassifier.linear(VisionGnnBackbone("vig_mini", None, 8), 3)
    yield pretrained_classifier("timm:tf_efficientnet_lite0", "package")


def test_blocks_go_from_the_head_to_what_sees_the_image_first(model):
    blocks = blocks_of(model, IMAGE)
    assert [block.title for block in blocks] == ["head", "last", "stages.2", "stages.0", "stem"]
    of = {block.title: [*block.modules] for block in blocks}
    assert of["head"] == ["head.linear"]
    assert of["stages.0"] == ["features.network.stages.0", "features.network.stages.1"]
    # What stands beside the parts, or sees nothing, is drawn with the last block.
    beside = ["features.network", "features.network.idle"]
    assert of["stem"] == ["features.network.stem", *beside]


@pytest.mark.parametrize("index", range(4))
def test_every_parameter_of_a_network_is_in_one_block(index):
    model = [*networks()][index].eval()
    blocks = blocks_of(model, IMAGE)
    names = [f"{one}.{n}" for b in blocks for one in b.modules
             for n, _ in model.get_submodule(one).named_parameters(recurse=False)]  # fmt: skip
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert len(blocks) > 6


def test_networks_side_by_side_are_aligned_at_the_head(model):
    other = copy.deepcopy(model.features)
    other.network.stages = nn.Sequential(nn.Conv2d(4, 4, 1))
    both = nn.Module()
    both.parts = [model.features, other]
    both.first, both.second = both.parts
    both.forward = lambda images: torch.cat([part(images) for part in both.parts], dim=1)
    blocks = blocks_of(SplitClassifier(both, LinearHead(8, 2)).eval(), IMAGE)
    titles = [one.title for one in blocks[1:]]
    assert titles == ["last", "stages.2 + stages.0", "stages.0 + stem", "stem"]


def test_each_step_draws_its_block_and_keeps_what_was_drawn_before(model):
    before = copy.deepcopy(model.state_dict())
    blocks = blocks_of(model, IMAGE)
    former, drawn = before, set()
    for (title, network), block in zip(cascade(model, blocks, 5), blocks, strict=True):
        assert title == block.title
        now = network.state_dict()
        changed = {name for name in now if not torch.equal(now[name], former[name])}
        assert {name.rpartition(".")[0] for name in changed} == {*block.modules}
        drawn |= changed
        former = now
    assert {name for name, _ in model.named_parameters()} <= drawn
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())


def test_the_same_seed_draws_the_same_and_another_others(model):
    blocks = blocks_of(model, IMAGE)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    first, again, other = ([*cascade(model, blocks, seed)][-1][1] for seed in (1, 1, 2))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_modules_are_reset_as_torch_begins_and_others_are_shuffled(model):
    network = model.features.network
    before = network.place.clone()
    randomise([network.stages[1], network.last, network], [0])
    norm = network.stages[1]
    zero, one = torch.zeros(4), torch.ones(4)
    for found, expected in (
        (norm.running_mean, zero), (norm.running_var, one), (norm.bias, zero), (norm.weight, one)
    ):  # fmt: skip
        torch.testing.assert_close(found.detach(), expected, rtol=0, atol=0)
    assert network.last.weight.abs().max() <= 4**-0.5  # Uniform within 1 / √fan-in.
    assert not torch.equal(network.place, before)
    assert torch.equal(network.place.flatten().sort()[0], before.flatten().sort()[0])


def test_nothing_is_drawn_without_blocks(model):
    assert [*cascade(model, (), 0)] == []
    ((_, same),) = cascade(model, (Block("none", ()),), 0)
    np.testing.assert_array_equal(same(IMAGE).detach(), model(IMAGE).detach())
