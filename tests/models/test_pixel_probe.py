"""A linear probe, the features it sees, and what it says of an image's tags."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from wsss.models.hypercolumns import hypercolumns
from wsss.models.pixel_probe import PixelProbe, tag_probabilities
from wsss.tasks import PixelProbeTask


def test_a_new_probe_finds_everything_equally_likely():
    logits = PixelProbe([3, 2], 3)(torch.randn(2, 5, 4, 6))
    assert logits.shape == (2, 2, 4, 4, 6)
    assert not logits.any()


def test_logits_are_those_of_standardised_features():
    generator = torch.Generator().manual_seed(0)
    features = 3 + 2 * torch.randn(2, 5, 4, 6, generator=generator)
    features[:, 4] = 7.0  # Says nothing.
    probe = PixelProbe([2, 3], 3)
    for layer in probe.linear:
        nn.init.normal_(layer.weight, generator=generator)
        nn.init.normal_(layer.bias, generator=generator)
    flat = features.transpose(0, 1).flatten(1)
    probe.standardise(flat.mean(dim=1), flat.std(dim=1, correction=0))
    at = features[1, :, 2, 3].double()
    deviation = flat.double().std(dim=1, correction=0)
    deviation[4] = 1
    standardised = (at - flat.double().mean(dim=1)) / deviation
    expected = torch.stack(
        [
            F.linear(part, layer.weight.double(), layer.bias.double())
            for part, layer in zip(standardised.split([2, 3]), probe.linear, strict=True)
        ]
    )
    torch.testing.assert_close(
        probe(features)[1, :, :, 2, 3].double(), expected, rtol=1e-5, atol=1e-5
    )


def test_the_layers_of_two_networks_learn_apart():
    """The loss of both has the gradients of each alone, halved."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(6, 5, 1, 1, generator=generator)
    shares = torch.rand(6, 4, generator=generator).softmax(dim=1)
    batch = {"images": features, "tags": shares}

    def gradients(probe, own):
        task = PixelProbeTask(probe, torch.optim.SGD, 0.1)
        task.log = lambda *_, **__: None
        task.training_step({**batch, "images": own}, 0).backward()
        return [layer.weight.grad for layer in probe.linear]

    both = gradients(PixelProbe([2, 3], 3), features)
    alone = [
        gradients(PixelProbe([part.shape[1]], 3), part)[0] for part in features.split([2, 3], dim=1)
    ]
    for found, expected in zip(both, alone, strict=True):
        torch.testing.assert_close(found, expected / 2)


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
