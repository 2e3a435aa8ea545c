"""Unary energies, by hand and against pydensecrf's."""

import math

import numpy as np
import pytest
from pydensecrf.utils import unary_from_labels

from wsss.refine.dense_crf.unaries import (
    energies_from_labels,
    energies_from_softmax,
    shared_channels,
)


def test_probabilities_become_energies_and_none_is_infinite():
    probabilities = np.array([0.25, 1.0, 0.0, 1e-9]).reshape(4, 1, 1)
    expected = [math.log(4), 0, 5 * math.log(10), 5 * math.log(10)]
    np.testing.assert_allclose(energies_from_softmax(probabilities).ravel(), expected, rtol=1e-6)


def test_a_label_is_right_with_its_probability_and_the_others_share_the_rest():
    labels = np.array([[0, 2, 255]], dtype=np.uint8)
    found = np.exp(-energies_from_labels(labels, 3, gt_prob=0.8).astype(np.float64))[:, 0]
    third = 1 / 3
    expected = [[0.8, 0.1, third], [0.1, 0.1, third], [0.1, 0.8, third]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("num_labels", [2, 4, 21])
def test_energies_are_those_of_pydensecrf(num_labels):
    labels = np.random.default_rng(0).integers(0, num_labels, (7, 9)).astype(np.uint8)
    expected = unary_from_labels(labels, num_labels, gt_prob=0.7, zero_unsure=False)
    found = energies_from_labels(labels, num_labels, gt_prob=0.7).reshape(num_labels, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("num_labels", [2, 4])
def test_void_is_what_pydensecrf_calls_unsure(num_labels):
    labels = np.random.default_rng(0).integers(0, num_labels + 1, (7, 9)).astype(np.uint8)
    expected = unary_from_labels(labels.astype(int), num_labels, gt_prob=0.7, zero_unsure=True)
    found = energies_from_labels(labels - np.uint8(1), num_labels, gt_prob=0.7)
    np.testing.assert_allclose(found.reshape(num_labels, -1), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "num_labels", "gt_prob", "message"),
    [
        ([[0, 3]], 3, 0.7, "labels up to 3"),
        ([[0]], 1, 0.7, "num_labels"),
        ([[0]], 2, 1.0, "gt_prob"),
        ([[0]], 2, 0.0, "gt_prob"),
    ],
)
def test_wrong_arguments_are_refused(labels, num_labels, gt_prob, message):
    with pytest.raises(ValueError, match=message):
        energies_from_labels(np.array(labels, dtype=np.uint8), num_labels, gt_prob)


def test_labels_of_the_same_energies_share_a_channel():
    labels = np.random.default_rng(0).integers(0, 3, (30, 40), dtype=np.uint8)
    first, channel_of = shared_channels(energies_from_labels(labels, 12))
    assert first == [0, 1, 2, 3]
    assert channel_of.tolist() == [0, 1, 2, *[3] * 9]
