"""Intervals against normal theory and scipy's bootstrap, and what pairs and seeds do to them."""

import numpy as np
import pytest
from scipy import stats

from wsss.metrics import bootstrap
from wsss.metrics.bootstrap import (
    difference,
    image_weights,
    interval,
    mean_intervals,
    mean_of_sums,
    over_seeds,
    resampled,
    summands,
)

NUM = 400
VALUES = np.random.default_rng(3).gamma(2.0, size=(NUM, 1))
DRAWS = 8000


def means(values, num_resamples=DRAWS, seed=0):
    return resampled(summands(values), mean_of_sums, num_resamples, seed)[:, 0]


def test_every_resample_holds_as_many_images_as_there_are(monkeypatch):
    whole = np.concatenate([*image_weights(7, 100, seed=1)])
    assert whole.shape == (100, 7)
    assert (whole.sum(axis=1) == 7).all()
    assert abs(whole.mean(axis=0) - 1).max() < 5 * np.sqrt(6 / 7 / 100)
    monkeypatch.setattr(bootstrap, "CHUNK", 70)
    chunks = [*image_weights(7, 100, seed=1)]
    assert len(chunks) == 10
    assert np.array_equal(np.concatenate(chunks), whole)
    assert not np.array_equal(np.concatenate([*image_weights(7, 100, seed=2)]), whole)


def test_the_mean_s_interval_is_that_of_normal_theory():
    """Mean and spread of the resamples within their Monte-Carlo error, and the ends with them."""
    draws = means(VALUES)
    sd = VALUES.std() / np.sqrt(NUM)  # Of the bootstrap: its variance is that of the sample.
    assert abs(draws.mean() - VALUES.mean()) < 5 * sd / np.sqrt(DRAWS)
    assert abs(draws.std() / sd - 1) < 5 / np.sqrt(2 * DRAWS)
    low, high = interval(draws)
    # The standard error of a normal sample's 2.5 % quantile, and skewness of order 1/n.
    error = np.sqrt(0.025 * 0.975 / DRAWS) / stats.norm.pdf(1.96) * sd
    skew = stats.skew(VALUES[:, 0]) / np.sqrt(NUM) * (1.96**2 - 1) / 6 * sd
    for end, sign in ((low, -1), (high, 1)):
        assert abs(end - (VALUES.mean() + sign * 1.96 * sd + skew)) < 5 * error


def test_scipy_s_bootstrap_has_the_same_interval():
    theirs = stats.bootstrap(
        (VALUES[:, 0],), np.mean, n_resamples=DRAWS, method="percentile", rng=5
    ).confidence_interval
    ours = interval(means(VALUES))
    sd = VALUES.std() / np.sqrt(NUM)
    error = np.sqrt(2 * 0.025 * 0.975 / DRAWS) / stats.norm.pdf(1.96) * sd
    assert np.abs(np.subtract(ours, theirs)).max() < 5 * error


def test_values_that_are_missing_are_left_out_of_their_column_alone():
    values = np.hstack([VALUES, VALUES, np.full_like(VALUES, np.nan)])
    values[::2, 1] = np.nan
    found, (low, high) = mean_intervals(values, num_resamples=200)
    assert found[:2] == pytest.approx([VALUES.mean(), VALUES[1::2].mean()])
    assert np.isnan([found[2], low[2], high[2]]).all()
    assert ((low < found) & (found < high))[:2].all()


def test_a_pair_is_drawn_together():
    """A constant difference has no spread, however much the images differ; unpaired it would."""
    draws = means(VALUES + 0.25) - means(VALUES)
    assert interval(draws) == pytest.approx((0.25, 0.25))
    assert difference(0.25, draws).other_side == 0
    apart = means(VALUES + 0.25, seed=1) - means(VALUES)
    assert apart.std() == pytest.approx(np.sqrt(2) * VALUES.std() / np.sqrt(NUM), rel=0.05)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_share_beyond_zero_is_that_of_the_normal_tail(sign):
    draws = sign * (1 + np.random.default_rng(0).standard_normal(DRAWS))
    found = difference(sign * 1.0, draws)
    tail = stats.norm.cdf(-1)
    assert abs(found.other_side - tail) < 5 * np.sqrt(tail * (1 - tail) / DRAWS)
    assert found.low < 0 < found.high


def test_no_difference_is_on_the_other_side_altogether():
    assert difference(0.0, np.zeros(9)).other_side == 1


def test_trainings_add_their_variance_to_that_of_the_images():
    """Means over s of them: their variance (s − 1)/s² of the sample's, beside that of images."""
    scores = np.array([0.3, 0.5, 0.55])
    alone = over_seeds(np.repeat(scores[:, None], DRAWS, axis=1))
    assert abs(alone.var() / (scores.var() / 3) - 1) < 0.1
    draws = means(VALUES)
    both = over_seeds(scores[:, None] + draws)
    assert abs(both.var() / (alone.var() + draws.var()) - 1) < 0.1
    one = over_seeds(draws[None])
    assert one is draws or np.array_equal(one, draws)


def test_paired_trainings_are_drawn_together_and_others_are_not():
    scores = np.repeat(np.array([[0.3], [0.5], [0.55]]), DRAWS, axis=1)
    assert np.ptp(over_seeds(scores + 0.1) - over_seeds(scores)) == pytest.approx(0, abs=1e-12)
    apart = over_seeds(scores, stream=1) - over_seeds(scores)
    assert apart.var() == pytest.approx(2 * over_seeds(scores).var(), rel=0.1)
