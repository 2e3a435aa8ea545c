import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.errors import WsssError
from wsss.refine import FixedExponent, FixedThreshold, Otsu, OtsuMean, Pooled
from wsss.refine.thresholds import (
    MAX_THRESHOLD,
    MIN_THRESHOLD,
    NUM_LEVELS,
    count_levels,
    crossing_alpha,
    crossing_threshold,
)


def brute_force_otsu(levels):
    """The level after which variance between both sides is greatest."""
    best, best_level = -1.0, 0
    for level in range(NUM_LEVELS - 1):
        low, high = levels[levels <= level], levels[levels > level]
        if low.size and high.size:
            variance = low.size * high.size * (low.mean() - high.mean()) ** 2
            if variance > best * (1 + 1e-12):
                best, best_level = variance, level
    return best_level


def two_humps(seed, size=(20, 20)):
    rng = np.random.default_rng(seed)
    num_high = rng.integers(40, 300)
    values = np.concatenate(
        [rng.normal(0.2, 0.05, 400 - num_high), rng.normal(0.8, 0.05, num_high)]
    )
    return rng.permutation(values).clip(0, 1).astype(np.float32).reshape(1, *size)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_otsu_parts_an_image_like_brute_force(seed):
    maps = two_humps(seed)
    levels = np.minimum(maps * NUM_LEVELS, NUM_LEVELS - 1).astype(int)
    expected = levels > brute_force_otsu(levels)
    np.testing.assert_array_equal(maps > Otsu()(maps), expected)


def test_otsu_lies_in_the_middle_of_what_is_empty():
    maps = np.array([[[0.25, 0.25, 0.75]]])
    assert Otsu()(maps) == pytest.approx((64 + 1 + 192) / 2 / 256)  # Both steps' inner edges.


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_default_is_half_way_to_the_mean(seed):
    maps = two_humps(seed)
    half_way = (Otsu()(maps) + float(maps.mean(dtype=np.float64))) / 2
    assert OtsuMean()(maps) == pytest.approx(half_way, abs=1 / NUM_LEVELS)


@pytest.mark.parametrize("rule", [Otsu(), OtsuMean()])
def test_a_histogram_rule_sees_the_strongest_map_only(rule):
    maps = two_humps(0)
    assert rule(np.concatenate([maps * 0.3, maps])) == rule(maps)


@pytest.mark.parametrize("rule", [Otsu(), OtsuMean()])
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_maps_of_one_value_give_the_lower_bound(rule, value):
    assert rule(np.full((1, 3, 3), value)) == MIN_THRESHOLD
    assert rule(np.zeros((0, 3, 3))) == MIN_THRESHOLD


@given(seed=st.integers(0, 10_000), power=st.floats(0.02, 50))
@settings(max_examples=50, deadline=None)
def test_estimates_stay_within_their_bounds(seed, power):
    maps = np.random.default_rng(seed).random((1, 9, 9)) ** power
    for rule in (Otsu(), OtsuMean()):
        assert MIN_THRESHOLD <= rule(maps) <= MAX_THRESHOLD


@given(threshold=st.floats(0.02, 0.98))
def test_background_and_class_are_level_at_the_threshold(threshold):
    alpha = crossing_alpha(threshold)
    assert (1 - threshold) ** alpha == pytest.approx(threshold)
    assert crossing_threshold(alpha) == pytest.approx(threshold)


def test_an_exponent_of_one_is_a_threshold_of_a_half():
    assert FixedExponent(1)(np.zeros((1, 2, 2))) == pytest.approx(0.5)


@pytest.mark.parametrize("threshold", [0, 1, -0.1])
def test_a_threshold_outside_of_the_interval_is_refused(threshold):
    with pytest.raises(WsssError, match=f"^threshold={threshold}:.*between 0 and 1"):
        FixedThreshold(threshold)


def test_an_exponent_that_is_not_positive_is_refused():
    with pytest.raises(WsssError, match=r"^alpha=0:.*above 0"):
        FixedExponent(0)


@pytest.mark.parametrize("rule", [Otsu(), OtsuMean()])
def test_pooled_is_the_rule_of_all_pixels_together(rule):
    images = [two_humps(seed, size) for seed, size in ((0, (20, 20)), (1, (10, 40)))]
    together = np.concatenate([maps.reshape(1, 1, -1) for maps in images], axis=2)
    counts = sum(count_levels(maps) for maps in images)
    assert Pooled(rule).fitted(counts)(images[0]) == rule(together)


def test_an_image_without_tags_adds_nothing_to_the_pool():
    assert not count_levels(np.zeros((0, 4, 4))).any()


def test_pooled_cannot_be_used_before_it_is_fitted():
    with pytest.raises(RuntimeError, match="fitted"):
        Pooled(Otsu())(two_humps(0))
