"""DeepLabV2's pyramid against convolutions written out in float64."""

import cv2
import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from wsss.models.segmentation_networks.deeplabv2 import AtrousPyramid, DeepLabV2

RATES = (6, 12, 18, 24)
K, LABELS = 3, 2


@pytest.fixture(scope="module")
def pyramid():
    torch.manual_seed(0)
    made = AtrousPyramid(K, LABELS).double()
    for branch in made.branches:
        torch.nn.init.normal_(branch.bias)
    return made


def written_out(pyramid, features):
    """Every branch as a correlation with its kernel, whose holes are zeros."""
    scores = np.zeros((LABELS, *features.shape[1:]))
    for rate, branch in zip(RATES, pyramid.branches, strict=True):
        weight = branch.weight.detach().numpy()
        for label in range(LABELS):
            scores[label] += branch.bias[label].item()
            for channel in range(K):
                kernel = np.zeros((2 * rate + 1, 2 * rate + 1))
                kernel[::rate, ::rate] = weight[label, channel]
                scores[label] += correlate2d(np.pad(features[channel], rate), kernel, mode="valid")
    return scores


@pytest.mark.parametrize("size", [(26, 26), (31, 20)])
def test_scores_are_the_sum_of_dilated_convolutions(pyramid, size):
    features = np.random.default_rng(0).normal(size=(K, *size))
    with torch.no_grad():
        found = pyramid([torch.zeros(1), torch.from_numpy(features)[None]])[0]
    np.testing.assert_allclose(found, written_out(pyramid, features), rtol=1e-10, atol=1e-12)


def test_of_a_small_map_only_the_centres_of_kernels_are_seen(pyramid):
    """Which is why rates are for maps of 8 image pixels a cell."""
    features = torch.randn(1, K, 6, 5, dtype=torch.float64)
    weight = sum(branch.weight[:, :, 1, 1] for branch in pyramid.branches)
    bias = sum(branch.bias for branch in pyramid.branches)
    expected = torch.einsum("nk,bkhw->bnhw", weight, features) + bias[:, None, None]
    torch.testing.assert_close(pyramid([features]), expected)


def test_the_head_begins_as_published():
    torch.manual_seed(0)
    branches = AtrousPyramid(2048, 21).branches
    assert [(one.kernel_size, one.dilation, one.padding) for one in branches] == [
        ((3, 3), (rate, rate), (rate, rate)) for rate in RATES
    ]
    for one in branches:
        assert not one.bias.any()
        assert one.weight.std().item() == pytest.approx(0.01, rel=0.01)


def test_scores_are_enlarged_bilinearly(pyramid):
    class Maps(torch.nn.Module):
        def forward(self, images):
            return [images, torch.nn.functional.avg_pool2d(images, 8)]

    network = DeepLabV2(Maps(), K, LABELS, 8).double()
    network.decoder.load_state_dict(pyramid.state_dict())
    images = torch.rand(1, K, 64, 40, dtype=torch.float64)
    with torch.no_grad():
        scores = pyramid(network.encoder(images))[0].permute(1, 2, 0).numpy()
        found = network(images)[0].permute(1, 2, 0)
    expected = cv2.resize(scores, (40, 64), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
