"""Which features a linear probe sees: layers of the classifier, and of a second backbone."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsss.errors import InvalidOptionError
from wsss.models import Backbone, SplitClassifier
from wsss.refine import HypercolumnProbe


class Averages(Backbone):
    """Two layers that average: a map at half the size, then one at `stride`."""

    def __init__(self, stride: int, factor: float = 1.0):
        super().__init__("averages", stride)
        self.first, self.second = nn.AvgPool2d(2), nn.AvgPool2d(stride // 2)
        self.factor = nn.Parameter(torch.tensor(factor))
        self.num_features = 3

    def forward(self, images):
        return self.factor * self.second(self.first(images))

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        return {"first": self.first}


@pytest.fixture
def classifier():
    return SplitClassifier.linear(Averages(4), 2)


IMAGES = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def test_a_second_backbones_features_stand_behind_the_classifiers(classifier):
    pooled = F.avg_pool2d(IMAGES, 4)
    alone = HypercolumnProbe().features(classifier, IMAGES)
    torch.testing.assert_close(alone, torch.cat([pooled, pooled], dim=1))
    both = HypercolumnProbe(second_backbone=Averages(4, -3.0)).features(classifier, IMAGES)
    torch.testing.assert_close(both, torch.cat([pooled, pooled, -3 * pooled, pooled], dim=1))


@pytest.mark.parametrize("stride", [2, 8])
def test_its_maps_take_the_size_of_the_classifiers(classifier, stride):
    probe = HypercolumnProbe((), Averages(stride))
    features = probe.features(classifier, IMAGES)
    assert features.shape == (2, 6, 4, 6)
    own = F.avg_pool2d(IMAGES, stride)
    if stride == 2:
        expected = F.avg_pool2d(own, 2)
    else:
        expected = F.interpolate(own, (4, 6), mode="bilinear", align_corners=False)
    torch.testing.assert_close(features[:, 3:], expected)


def test_the_second_backbone_learns_nothing(classifier):
    second = Averages(4).train()
    features = HypercolumnProbe(second_backbone=second).features(classifier, IMAGES)
    assert not second.training
    assert not second.factor.requires_grad
    assert not features.requires_grad


def test_layers_are_looked_for_in_both_networks(classifier):
    class Other(Averages):
        @property
        def inner_layers(self) -> Mapping[str, nn.Module]:
            return {"another": self.first}

    HypercolumnProbe(["first"]).check(classifier)
    with pytest.raises(InvalidOptionError, match="some of another"):
        HypercolumnProbe(["first"], Other(4)).check(classifier)


def test_what_is_no_backbone_is_refused():
    with pytest.raises(InvalidOptionError, match=r"second_backbone.*a Backbone"):
        HypercolumnProbe(second_backbone=nn.Identity())
