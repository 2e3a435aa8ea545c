"""Calibration against torchmetrics, and against probabilities that are right by construction."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from wsss.metrics.calibration import FULL, bin_counts, expected_calibration_error, reliability


def drawn(num=20000, labels=4, sharpness=2.0, seed=0):
    """Probabilities [n, labels], and their labels, confidences and 16-bit confidences."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.standard_normal((num, labels)) * sharpness)
    probabilities = logits.softmax(dim=1)
    confidence, best = probabilities.max(dim=1)
    quantised = np.rint(confidence.numpy() * FULL).astype(np.uint16)
    return probabilities, best.numpy().astype(np.uint8), quantised


@pytest.mark.parametrize("sharpness", [0.3, 2.0, 8.0])
def test_torchmetrics_finds_the_same_error(sharpness):
    probabilities, labels, confidences = drawn(sharpness=sharpness)
    target = np.random.default_rng(1).choice(4, len(labels)).astype(np.uint8)
    target[::7] = 255
    known = torch.from_numpy(target != 255)
    # In double precision, where no probability is rounded to 1, which has a bin of its own there.
    reference = MulticlassCalibrationError(4, n_bins=15, norm="l1", validate_args=False)
    theirs = reference(probabilities[known], torch.from_numpy(target)[known].long())
    ours = expected_calibration_error(bin_counts(labels, confidences, target))
    assert ours == pytest.approx(float(theirs), abs=1e-4)


def test_labels_drawn_by_their_probabilities_are_calibrated():
    """What is left is chance: at most the bins' standard errors."""
    probabilities, labels, confidences = drawn(num=200_000)
    target = torch.multinomial(probabilities, 1, generator=torch.Generator().manual_seed(0))
    counts = bin_counts(labels, confidences, target[:, 0].numpy().astype(np.uint8))
    assert expected_calibration_error(counts) < np.sqrt(15 / 200_000)
    assert all(abs(said - right) < 5 / np.sqrt(n) for said, right, n in reliability(counts))


def test_a_network_that_is_sure_and_wrong():
    labels, target = np.zeros((2, 10), dtype=np.uint8)
    target[:3] = 1
    sure = np.full(10, FULL, dtype=np.uint16)
    counts = bin_counts(labels, sure, target)
    assert reliability(counts) == [(1.0, 0.7, 10)]
    assert expected_calibration_error(counts) == pytest.approx(0.3)


def test_counts_of_images_add_up():
    _, labels, confidences = drawn(num=100)
    target = np.random.default_rng(1).choice(4, 100).astype(np.uint8)
    parts = [
        bin_counts(labels[half], confidences[half], target[half])
        for half in (slice(30), slice(30, None))
    ]
    assert np.array_equal(sum(parts), bin_counts(labels, confidences, target))


def test_ends_of_bins_belong_to_the_lower_one():
    """(m/15, (m+1)/15]; 0 to the first."""
    confidences = np.array([0, 1, FULL // 15, FULL // 15 + 1, FULL - 1, FULL], dtype=np.uint16)
    zeros = np.zeros(6, dtype=np.uint8)
    pixels = bin_counts(zeros, confidences, zeros)[:, 0]
    assert pixels.tolist() == [3, 1, *[0] * 12, 2]


def test_nothing_counted_has_no_error():
    assert np.isnan(expected_calibration_error(np.zeros((15, 3))))
