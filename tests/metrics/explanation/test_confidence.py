import pytest
import torch

from wsss.metrics.explanation.confidence import drop, drop_in_deletion, increase


@pytest.fixture
def one(device):
    return lambda value: torch.tensor([value], dtype=torch.float64, device=device)


def test_a_lower_probability_is_a_drop_and_no_increase(one):
    assert float(drop(one(0.8), one(0.6))) == pytest.approx(0.25)
    assert increase(one(0.8), one(0.6)) == 0
    assert float(drop_in_deletion(one(0.8), one(0.2))) == pytest.approx(0.75)


def test_a_higher_probability_is_an_increase_and_no_drop(one):
    assert drop(one(0.8), one(0.9)) == 0
    assert increase(one(0.8), one(0.9)) == 1


def test_the_same_probability_is_neither(one):
    assert drop(one(0.8), one(0.8)) == 0
    assert increase(one(0.8), one(0.8)) == 0


def test_deletion_that_raises_the_probability_counts_below_zero(one):
    assert float(drop_in_deletion(one(0.4), one(0.6))) == pytest.approx(-0.5)


def test_pairs_without_probability_have_no_ratio(device):
    whole = torch.tensor([0.8, 0.0, 1e-9], device=device)
    other = torch.tensor([0.6, 0.5, 0.0], device=device)
    for values in (drop, increase, drop_in_deletion):
        assert values(whole, other).isnan().tolist() == [False, True, True]
