"""Features of the cells that speak for a class most, beside a search cell by cell."""

import numpy as np

from wsss.auditing.logistic_heads import Heads
from wsss.auditing.seen_images import (
    BEST,
    MOST_UNTAGGED,
    best_features,
    cell_logits,
    untagged,
)


def test_best_features_are_those_of_the_cells_with_the_highest_logits():
    rng = np.random.default_rng(0)
    features = rng.uniform(size=(7, 5, 8)).astype(np.float32)
    logits = rng.normal(size=(3, 5, 8))
    found = best_features(features, logits)
    for c in range(3):
        places = sorted(np.ndindex(5, 8), key=lambda at, c=c: -logits[c][at])[: round(BEST * 40)]
        cells = [features[:, y, x] / np.linalg.norm(features[:, y, x]) for y, x in places]
        np.testing.assert_allclose(found[c], np.mean(cells, axis=0), rtol=1e-5)


def test_one_cell_at_least_is_taken_and_empty_ones_stay_finite():
    found = best_features(np.zeros((4, 1, 2)), np.zeros((2, 1, 2)))
    np.testing.assert_array_equal(found, np.zeros((2, 4)))


def test_the_mean_of_the_cells_is_the_logit_of_the_image():
    rng = np.random.default_rng(1)
    heads = Heads(rng.normal(size=(3, 7)), rng.normal(size=3))
    features = rng.uniform(size=(7, 5, 8))
    expected = heads.logits(features.mean(axis=(1, 2))[None])[0]
    np.testing.assert_allclose(cell_logits(features, heads).mean(axis=(1, 2)), expected)


def test_maps_of_untagged_classes_are_those_of_the_best_cells_not_of_the_whole_image():
    """Class 9 is in one cell of 40 that speaks for it strongly, and everything else against it."""
    logits = np.full((10, 5, 8), -1.0)
    logits[9] = -3
    logits[9, 2, 2:6] = 5
    logits[4] = 0
    by_whole = np.argsort(-logits.mean(axis=(1, 2)), kind="stable")
    assert [*by_whole].index(9) == 9
    assert untagged(logits, [4])[0] == 9
    assert untagged(logits, []) == [9, 4, 0, 1, 2][:MOST_UNTAGGED]
    assert 4 not in untagged(logits, [4])
