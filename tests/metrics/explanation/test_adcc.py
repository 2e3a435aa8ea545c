import numpy as np
import pytest
import torch

from wsss.metrics.explanation.adcc import adcc, coherency, complexity


@pytest.fixture
def rand(device):
    def make(*shape, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(*shape, dtype=torch.float64, generator=generator).to(device)

    return make


@pytest.fixture
def column(device):
    return lambda *values: torch.tensor(values, dtype=torch.float64, device=device)


def test_a_full_mask_is_fully_complex_and_not_coherent(rand):
    full = torch.ones_like(rand(2, 6, 5))
    assert complexity(full).tolist() == [1, 1]
    assert coherency(full, full).tolist() == [0, 0]
    assert coherency(full, rand(2, 6, 5)).tolist() == [0, 0]


def test_a_constant_map_is_not_coherent_whatever_its_value():
    constant = torch.full((1, 9, 11), 0.1)
    assert coherency(constant, constant) == 0


def test_complexity_is_the_mean_absolute_value(rand):
    maps = rand(2, 3, 4, 5) - 0.5
    expected = np.abs(maps.cpu().numpy()).sum(axis=(2, 3)) / 20
    np.testing.assert_allclose(complexity(maps).cpu(), expected, rtol=1e-12)


def test_the_same_map_is_coherent_and_its_negative_is_not(rand):
    maps = rand(4, 6, 5)
    ones = maps.new_ones(4)
    for others, expected in ((maps, ones), (-maps, 0 * ones), (3 * maps + 2, ones)):
        torch.testing.assert_close(coherency(maps, others), expected, rtol=0, atol=1e-12)


def test_coherency_follows_pearsons_correlation(rand):
    maps, others = rand(2, 3, 7, 6), rand(2, 3, 7, 6, seed=1)
    found = coherency(maps, others)
    for image in range(2):
        for index in range(3):
            pearson = np.corrcoef(*(one[image, index].flatten().cpu() for one in (maps, others)))
            assert float(found[image, index]) == pytest.approx((1 + pearson[0, 1]) / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("drop", "coherent", "complex_", "expected"),
    [
        (0.1569, 0.9668, 0.3290, 0.8085),
        (0.2151, 0.9224, 0.2748, 0.8028),
        (0.0861, 0.9812, 0.4205, 0.7815),
        (0.3299, 0.8280, 0.2224, 0.7526),
        (0.6642, 0.6920, 0.1565, 0.5349),
    ],
)
def test_adcc_of_published_averages(drop, coherent, complex_, expected, column):
    found = adcc(column(drop), column(coherent), column(complex_))
    assert float(found) == pytest.approx(expected, abs=3e-4)


def test_a_part_that_is_worst_makes_adcc_zero(column):
    worst = adcc(column(1, 0, 0), column(1, 0, 1), column(0, 0, 1))
    assert worst.tolist() == [0, 0, 0]
    assert adcc(column(0), column(1), column(0)) == 1
