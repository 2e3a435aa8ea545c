"""Segmenters whose decoders do what `torch.export` has no form for, as programs."""

import pytest
import torch
from torch import nn
from torch.export import Dim

from wsss.exporting.agreement import agreement, drawn_images
from wsss.exporting.deployed import DeployedSegmenter
from wsss.exporting.programs import traced
from wsss.exporting.traceable import PooledByProducts, traceable
from wsss.models import Segmenter


@pytest.mark.parametrize("cells", [(2, 2), (3, 3), (6, 6), (2, 5)])
@pytest.mark.parametrize("size", [(6, 6), (7, 11), (1, 3), (13, 4)])
def test_means_of_cells_are_those_of_an_adaptive_pool(cells, size):
    features = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = nn.AdaptiveAvgPool2d(cells)(features)
    shares = PooledByProducts(cells)
    torch.testing.assert_close(shares(features.float()).double(), expected, rtol=1e-4, atol=1e-6)


def test_means_of_cells_are_traced_for_any_size():
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.AdaptiveAvgPool2d(3))
    sides = {2: Dim("height", min=2), 3: Dim("width", min=2)}
    example = (torch.rand(1, 3, 8, 9),)
    program = torch.export.export(traceable(network), example, dynamic_shapes=(sides,)).module()
    for size in [(5, 20), (31, 4)]:
        images = torch.rand(1, 3, *size)
        torch.testing.assert_close(program(images), network(images))


def test_a_program_of_linear_layers_takes_images_of_any_size():
    """torch would have it proved that no side of a map divides 1."""
    torch.manual_seed(0)
    segmenter = Segmenter("Segformer", "test_efficientnet", None, 3, decoder_channels=8)
    segmenter.eval().requires_grad_(False)
    program = traced(DeployedSegmenter(segmenter)).module()
    found = agreement(
        lambda images: segmenter(images / 255), lambda images: program(images)[0],
        [*drawn_images()], one_label=True,
    )  # fmt: skip
    assert found.good
