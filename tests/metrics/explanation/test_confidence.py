import math

import pytest
import torch

from wsss.metrics.explanation import (
    average_drop,
    average_drop_in_deletion,
    average_gain,
    average_increase,
)
from wsss.metrics.explanation.confidence import drop, drop_in_deletion, gain, increase


@pytest.fixture
def one(device):
    return lambda value: torch.tensor([value], dtype=torch.float64, device=device)


def test_a_lower_probability_is_a_drop_and_no_increase(one):
    assert average_drop(one(0.8), one(0.6)) == pytest.approx(25)
    assert average_increase(one(0.8), one(0.6)) == 0
    assert average_gain(one(0.8), one(0.6)) == 0
    assert average_drop_in_deletion(one(0.8), one(0.2)) == pytest.approx(75)


def test_a_higher_probability_is_an_increase_and_no_drop(one):
    assert average_drop(one(0.8), one(0.9)) == 0
    assert average_increase(one(0.8), one(0.9)) == 100
    assert average_gain(one(0.8), one(0.9)) == pytest.approx(50)


def test_the_same_probability_is_neither(one):
    assert average_drop(one(0.8), one(0.8)) == 0
    assert average_increase(one(0.8), one(0.8)) == 0


def test_deletion_that_raises_the_probability_counts_below_zero(one):
    assert average_drop_in_deletion(one(0.4), one(0.6)) == pytest.approx(-50)


def test_pairs_without_probability_are_left_out_of_averages():
    whole = torch.tensor([0.8, 0.0, 1e-9])
    other = torch.tensor([0.6, 0.5, 0.0])
    for values in (drop, increase, drop_in_deletion, gain):
        assert values(whole, other).isnan().tolist() == [False, True, True]
    assert average_drop(whole, other) == pytest.approx(25, rel=1e-6)
    assert average_drop_in_deletion(whole, other) == pytest.approx(25, rel=1e-6)
    assert average_increase(whole, other) == 0
    assert math.isnan(average_drop(whole[1:], other[1:]))


def test_a_certain_image_has_nothing_to_gain(one):
    assert average_gain(one(1.0), one(1.0)) == 0


def test_averages_are_means_of_percentages():
    rng = torch.Generator().manual_seed(0)
    whole, kept, deleted = torch.rand(3, 50, dtype=torch.float64, generator=rng)
    pairs = [(float(y), float(o), float(d)) for y, o, d in zip(whole, kept, deleted, strict=True)]
    assert average_drop(whole, kept) == pytest.approx(
        100 * sum(max(0, y - o) / y for y, o, _ in pairs) / 50
    )
    assert average_increase(whole, kept) == pytest.approx(2 * sum(o > y for y, o, _ in pairs))
    assert average_drop_in_deletion(whole, deleted) == pytest.approx(
        100 * sum((y - d) / y for y, _, d in pairs) / 50
    )
    assert average_gain(whole, kept) == pytest.approx(
        100 * sum(max(0, o - y) / (1 - y) for y, o, _ in pairs) / 50
    )
