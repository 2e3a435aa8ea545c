import numpy as np
import pytest
from scipy.stats import spearmanr

from wsss.metrics.explanation.baseline_maps import centred_gaussian, random_map
from wsss.metrics.explanation.similarity import (
    iou_at_half,
    moved_share,
    rank_correlation,
    structural_similarity,
)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    tied = rng.integers(0, 4, (13, 17)) / 3  # As a rectified map has them.
    return rng.random((13, 17)), tied


def test_the_rank_correlation_is_spearmans(maps):
    assert rank_correlation(*maps) == pytest.approx(spearmanr(*(m.ravel() for m in maps))[0])


def test_the_rank_correlation_sees_order_alone(maps):
    first, _ = maps
    assert rank_correlation(first, np.exp(3 * first)) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)


def test_a_constant_map_orders_nothing(maps):
    assert rank_correlation(maps[0], np.full((13, 17), 0.3)) is None


def test_marked_regions_by_hand():
    first = np.array([[1.0, 0.5, 0.4, 0.0]])
    second = np.array([[0.0, 3.0, 1.5, 1.4]])  # Half of its own maximum.
    assert iou_at_half(first, second) == pytest.approx(1 / 3)
    assert iou_at_half(first, first) == 1
    empty = np.zeros((1, 4))
    assert iou_at_half(first, empty) == 0
    assert iou_at_half(empty, empty) is None


def test_the_moved_share_by_hand():
    first, second = np.array([[2.0, 2.0, 0.0]]), np.array([[0.0, 3.0, 9.0]])
    assert moved_share(first, second) == pytest.approx((0.5 + 0.25 + 0.75) / 2)
    assert moved_share(first, 7 * first) == pytest.approx(0)
    assert moved_share(np.array([[1.0, 0, 0]]), np.array([[0, 0, 5.0]])) == 1
    empty = np.zeros((1, 3))
    assert (moved_share(first, empty), moved_share(empty, empty)) == (1, 0)


def test_the_moved_share_is_the_largest_difference_of_any_region():
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 1, 8))
    p, q = first / first.sum(), second / second.sum()
    regions = (np.array([code >> bit & 1 for bit in range(8)], bool) for code in range(256))
    largest = max(abs(p[0, region].sum() - q[0, region].sum()) for region in regions)
    assert moved_share(first, second) == pytest.approx(largest)


def windowed_ssim(first, second):
    """Structural similarity by its formula, window by window, in float64."""
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2
    padded = (np.pad(one, 5, mode="reflect") for one in (first, second))
    views = [np.lib.stride_tricks.sliding_window_view(one, (11, 11)) for one in padded]
    x, y = ((weights * view).sum((-2, -1)) for view in views)
    xx, yy, xy = (
        (weights * a * b).sum((-2, -1))
        for a, b in ((views[0], views[0]), (views[1], views[1]), views)
    )
    c1, c2 = 0.01**2, 0.03**2
    terms = (2 * x * y + c1) * (2 * (xy - x * y) + c2)
    return (terms / ((x**2 + y**2 + c1) * (xx - x**2 + yy - y**2 + c2))).mean()


def test_structural_similarity_is_that_of_the_formula():
    first, second = np.random.default_rng(2).random((2, 24, 31))
    second = (first + second) / 2
    assert structural_similarity(first, first) == pytest.approx(1)
    assert structural_similarity(first, second) == pytest.approx(windowed_ssim(first, second))


def test_a_gaussian_is_a_normal_density_of_a_quarter_of_the_sides():
    found = centred_gaussian((40, 60))
    rows, columns = np.mgrid[:40, :60] + 0.5
    expected = np.exp(-((rows - 20) ** 2) / (2 * 10**2) - (columns - 30) ** 2 / (2 * 15**2))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_random_maps_are_seeded_uniform_and_independent():
    first, again, other = (random_map((64, 64), np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert abs(rank_correlation(first, other)) < 4 / 64
    assert (first.mean(), first.var()) == pytest.approx((1 / 2, 1 / 12), abs=0.02)
