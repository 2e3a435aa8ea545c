import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss.refine import ComplementBackground, FixedExponent, LevelBackground, PowerBackground

MAPS = np.array([[[0.0, 0.5]], [[0.25, 0.1]]], dtype=np.float32)


def test_the_power_by_hand():
    scores = PowerBackground().before(MAPS, FixedExponent(2)(MAPS))
    np.testing.assert_allclose(scores[0], [[0.75**2, 0.5**2]], rtol=1e-6)
    np.testing.assert_array_equal(scores[1:], MAPS)


def test_the_level_by_hand():
    scores = LevelBackground().before(MAPS, 0.3)
    np.testing.assert_allclose(scores[0], [[0.3, 0.3]])
    np.testing.assert_array_equal(scores[1:], MAPS)


def test_the_complement_by_hand():
    scores = ComplementBackground().before(MAPS, 0.5)
    np.testing.assert_allclose(scores[0], [[0.75, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(
        ComplementBackground().score(MAPS, 0.25), [[0.25, 0.4 / 3]], rtol=1e-6
    )
    assert (ComplementBackground().score(MAPS + 1, 0.5) == 0).all()


@pytest.mark.parametrize(
    "background", [LevelBackground(), PowerBackground(), ComplementBackground()]
)
@given(threshold=st.floats(0.05, 0.95))
def test_background_is_above_exactly_where_no_map_reaches_the_threshold(background, threshold):
    values = np.linspace(0, 1, 201, dtype=np.float32)
    values = values[abs(values - threshold) > 1e-4]
    scores = background.before(values[None, None], threshold)
    np.testing.assert_array_equal(scores[0] > scores[1], values[None] < threshold)
    equal = np.full((1, 1, 1), threshold, dtype=np.float32)
    np.testing.assert_allclose(background.score(equal, threshold), equal[0], atol=1e-5)


@pytest.mark.parametrize(
    "background", [LevelBackground(), PowerBackground(), ComplementBackground()]
)
def test_without_maps_background_is_the_only_score(background):
    scores = background.before(np.zeros((0, 2, 3), dtype=np.float32), 0.3)
    assert scores.shape == (1, 2, 3)
    assert (scores > 0).all()
