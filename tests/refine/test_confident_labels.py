"""Confident labels by hand, and with an engine that changes nothing."""

import numpy as np
import pytest

from wsss.artifacts import Seeds
from wsss.errors import WsssError
from wsss.refine import ConfidentLabels, DenseCrfEngine, NumbaEngine
from wsss.refine.confident_labels import agreed_labels


class NoCrf(DenseCrfEngine):
    """Soft-max of the unaries; notes how often it was asked."""

    calls = 0

    def _solve(self, image, unaries):
        self.calls += 1
        assert all(one.shape[1:] == image.shape[:2] for one in unaries)
        return [np.exp(-one) for one in unaries]


def seeds_of(maps, labels, size):
    return Seeds(np.array(labels, dtype=np.uint16), np.array(maps, dtype=np.float16), size)


def test_foreground_as_the_first_says_background_where_both_do():
    sure_fg = np.array([[0, 0, 1, 1, 2]])
    sure_bg = np.array([[0, 2, 0, 2, 2]])
    found = agreed_labels(sure_fg, sure_bg, np.array([7, 9], dtype=np.uint16))
    assert found.tolist() == [[0, 255, 7, 7, 9]]


def test_both_thresholds_are_solved_at_once():
    engine = NoCrf()
    image = np.zeros((1, 4, 3), dtype=np.uint8)
    maps = [[[0.04, 0.2, 0.5, 0.31]], [[0.0, 0.1, 0.4, 0.9]]]
    found = ConfidentLabels(engine)(image, seeds_of(maps, [3, 8], (1, 4)))
    assert found.tolist() == [[0, 255, 3, 8]]
    assert engine.calls == 1


def test_large_images_are_labelled_at_a_bounded_size():
    image = np.zeros((60, 90, 3), dtype=np.uint8)
    maps = np.zeros((1, 15, 23))
    maps[:, :, :12] = 1
    found = ConfidentLabels(NoCrf(), max_side_px=30)(image, seeds_of(maps, [2], (60, 90)))
    assert found.shape == (60, 90)
    assert (found[:, :40] == 2).all()
    assert (found[:, 52:] == 0).all()


def test_an_image_without_tags_is_background():
    image = np.zeros((8, 9, 3), dtype=np.uint8)
    found = ConfidentLabels(NoCrf())(image, seeds_of(np.zeros((0, 2, 3)), [], (8, 9)))
    assert found.shape == (8, 9)
    assert not found.any()


def test_a_dense_crf_follows_the_contour():
    image = np.full((40, 48, 3), 30, dtype=np.uint8)
    image[:, 24:] = 220
    maps = np.zeros((1, 10, 12))
    maps[:, :, 6:] = 0.6
    maps[:, :, 5] = 0.4  # Four columns too many.
    found = ConfidentLabels(NumbaEngine())(image, seeds_of(maps, [1], (40, 48)))
    assert (found[:, 26:] == 1).mean() > 0.99
    assert (found[:, :20] == 1).mean() < 0.01


@pytest.mark.parametrize("thresholds", [(0.05, 0.3), (0.5, -0.1), (1.2, 0.1)])
def test_thresholds_out_of_order_are_refused(thresholds):
    with pytest.raises(WsssError, match="two thresholds"):
        ConfidentLabels(NoCrf(), *thresholds)


@pytest.mark.parametrize(("name", "value"), [("gt_prob", 0), ("gt_prob", 1), ("max_side_px", 0)])
def test_wrong_settings_are_named(name, value):
    with pytest.raises(WsssError, match=f"^{name}={value}: "):
        ConfidentLabels(NoCrf(), **{name: value})
