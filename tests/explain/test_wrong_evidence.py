"""What is wrong in an image, of small arrays by hand."""

import numpy as np
import pytest

from wsss.explain.summary.wrong_evidence import (
    MISSED,
    OUTSIDE,
    PIXELS,
    UNTAGGED,
    failures_by_mask,
    failures_by_tags,
    pooled,
    prediction_failures_by_tags,
    shares_of_labels,
    wrong_pixels,
)


def test_missed_tags_untagged_classes_and_evidence_elsewhere():
    probabilities = np.array([0.2, 0.9, 0.7, 0.1, 0.8])
    found = failures_by_tags([1, 2, 5], probabilities, {1: 0.9, 2: 0.6, 5: 0.4})
    assert [(one.kind, one.label) for one in found] == [(MISSED, 1), (UNTAGGED, 3), (OUTSIDE, 2)]
    assert [one.wrongness for one in found] == pytest.approx([0.8, 0.7, 0.6])


def test_an_image_that_is_seen_as_it_is_tagged_is_not_wrong():
    assert failures_by_tags([2], np.array([0.1, 0.6]), {2: 0.5}) == []


def test_a_prediction_by_its_tags():
    prediction = np.zeros((10, 20), dtype=np.uint8)
    prediction[:3, :10] = 1
    prediction[5:6, :10] = 4
    prediction[9, 0] = 3  # fewer than a hundredth of the pixels
    found = prediction_failures_by_tags([1, 2, 3], prediction)
    assert [(one.kind, one.label) for one in found] == [(MISSED, 2), (MISSED, 3), (UNTAGGED, 4)]
    assert [one.wrongness for one in found] == pytest.approx([1, 1, 10 / 41])


def test_wrong_pixels_by_the_mask_without_void_on_either_side():
    truth = np.array([[1, 1, 1, 1, 0, 0, 255, 255, 0, 0]], dtype=np.uint8)
    labels = np.array([[1, 2, 2, 255, 0, 1, 1, 0, 0, 0]], dtype=np.uint8)
    first, second = failures_by_mask(labels, truth)
    assert (first.kind, first.true_label, first.label) == (PIXELS, 1, 2)
    assert first.wrongness == pytest.approx(2 / 7)
    assert (second.true_label, second.label) == (0, 1)
    assert second.wrongness == pytest.approx(1 / 7)
    np.testing.assert_array_equal(wrong_pixels(first, labels, truth)[0].nonzero()[0], [1, 2])
    assert failures_by_mask(labels, np.full_like(truth, 255)) == []


def test_shares_leave_void_out():
    labels = np.array([[0, 0, 3, 255]], dtype=np.uint8)
    assert shares_of_labels(labels) == {0: 0.5, 3: 0.25}


def test_features_are_averaged_under_the_map():
    features = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    weights = np.array([[0, 1, 0], [0, 3, 0]], dtype=np.float32)
    np.testing.assert_allclose(pooled(features, weights), [(1 + 3 * 4) / 4, (7 + 3 * 10) / 4])
    np.testing.assert_allclose(pooled(features, 0 * weights), [2.5, 8.5])
