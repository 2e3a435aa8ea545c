"""A linear probe, the features it sees, and what it says of an image's tags."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from wsss.models.hypercolumns import hypercolumns
from wsss.models.pixel_probe import PixelProbe, tag_probabilities


def test_a_new_probe_finds_everything_equally_likely():
    assert not PixelProbe(5, 3)(torch.randn(2, 5, 4, 6)).any()


def test_logits_are_those_of_standardised_features():
    generator = torch.Generator().manual_seed(0)
    features = 3 + 2 * torch.randn(2, 5, 4, 6, generator=generator)
    features[:, 4] = 7.0  # Says nothing.
    probe = PixelProbe(5, 3)
    nn.init.normal_(probe.linear.weight, generator=generator)
    nn.init.normal_(probe.linear.bias, generator=generator)
    flat = features.transpose(0, 1).flatten(1)
    probe.standardise(flat.mean(dim=1), flat.std(dim=1, correction=0))
    at = features[1, :, 2, 3].double()
    deviation = flat.double().std(dim=1, correction=0)
    deviation[4] = 1
    expected = F.linear(
        (at - flat.double().mean(dim=1)) / deviation,
        probe.linear.weight.double(),
        probe.linear.bias.double(),
    )
    torch.testing.assert_close(probe(features)[1, :, 2, 3].double(), expected, rtol=1e-5, atol=1e-5)


def test_tags_share_out_what_other_classes_would_have_had():
    logits = torch.log(torch.tensor([0.1, 0.2, 0.3, 0.4]))[:, None, None]
    found = tag_probabilities(logits, (3, 1))
    np.testing.assert_allclose(found[:, 0, 0], [0.4 / 0.7, 0.2 / 0.7], rtol=1e-6)
    assert tag_probabilities(logits, ()).shape == (0, 1, 1)


class Halves(nn.Module):
    """Two layers, each of which halves the size."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.AvgPool2d(2), nn.AvgPool2d(2)

    def forward(self, images):
        return self.second(self.first(images)) + 1


def test_inner_layers_are_averaged_over_the_cells_of_the_last():
    network, images = Halves(), torch.rand(2, 3, 8, 12)
    found = hypercolumns(network, [network.first], images)
    pooled = F.avg_pool2d(images, 4)
    torch.testing.assert_close(found, torch.cat([pooled + 1, pooled], dim=1))
    assert torch.equal(hypercolumns(network, [], images), found[:, :3])
