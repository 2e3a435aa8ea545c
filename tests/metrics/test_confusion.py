import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassJaccardIndex

from wsss.metrics.confusion import (
    confusion_matrix,
    coverage,
    iou_per_label,
    mean_iou,
    pixel_accuracy,
    void_as_background,
)
from wsss.metrics.segmentation import MeanIoU, counted

CLASSES = 3
TARGET = np.array([[0, 0, 1], [1, 2, 255]], dtype=np.uint8)
PREDICTION = np.array([[0, 1, 1], [255, 2, 2]], dtype=np.uint8)


def masks(seed, predict_void=False):
    rng = np.random.default_rng(seed)
    labels = [*range(CLASSES + 1)]
    target = rng.choice([*labels, 255], (2, 9, 11)).astype(np.uint8)
    prediction = rng.choice([*labels, 255] if predict_void else labels, target.shape)
    prediction = np.where(rng.random(target.shape) < 0.5, prediction, target)
    if not predict_void:
        prediction[prediction == 255] = 0
    return prediction.astype(np.uint8), target


def test_counts_by_hand():
    counts = confusion_matrix(PREDICTION, TARGET, num_classes=2)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    assert coverage(counts) == pytest.approx(4 / 5)
    square = void_as_background(counts)
    assert square.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert iou_per_label(square) == pytest.approx([1 / 3, 1 / 3, 1])
    assert mean_iou(square) == pytest.approx(5 / 9)
    assert pixel_accuracy(square) == pytest.approx(3 / 5)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_iou_is_that_of_torchmetrics(seed):
    prediction, target = masks(seed)
    reference = MulticlassJaccardIndex(CLASSES + 1, average="none", ignore_index=255)
    expected = reference(
        torch.from_numpy(prediction.astype(np.int64)), torch.from_numpy(target.astype(np.int64))
    )
    counts = void_as_background(confusion_matrix(prediction, target, CLASSES))
    np.testing.assert_allclose(iou_per_label(counts), expected.numpy(), atol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_metric_sums_over_batches(seed):
    prediction, target = masks(seed, predict_void=True)
    metric = MeanIoU(CLASSES)
    for one, other in zip(prediction, target, strict=True):
        metric.update(torch.from_numpy(one), torch.from_numpy(other))
    whole = mean_iou(void_as_background(confusion_matrix(prediction, target, CLASSES)))
    assert float(metric.compute()) == pytest.approx(whole, abs=1e-6)


def test_a_label_that_is_nowhere_has_no_iou():
    zeros = np.zeros((2, 2), dtype=np.uint8)
    counts = void_as_background(confusion_matrix(zeros, zeros, 2))
    np.testing.assert_array_equal(iou_per_label(counts), [1, np.nan, np.nan])
    assert mean_iou(counts) == 1


def test_nothing_but_void_has_no_score():
    void = np.full((2, 2), 255, dtype=np.uint8)
    counts = confusion_matrix(void, void, 2)
    assert counts.sum() == 0
    assert np.isnan([mean_iou(counts[:, :-1]), pixel_accuracy(counts), coverage(counts)]).all()


@pytest.mark.parametrize(("prediction", "target"), [([[4]], [[0]]), ([[0]], [[9]])])
def test_unknown_labels_are_refused(prediction, target):
    with pytest.raises(ValueError, match="expected 0…3 or 255"):
        confusion_matrix(np.array(prediction, np.uint8), np.array(target, np.uint8), CLASSES)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        confusion_matrix(PREDICTION, TARGET.T, 2)


def test_a_device_counts_what_the_cpu_counts(device):
    rng = np.random.default_rng(0)
    values = np.array([*range(CLASSES + 1), 255], dtype=np.uint8)
    prediction, target = rng.choice(values, (2, 3, 40, 50))
    expected = confusion_matrix(prediction, target, CLASSES)
    masks = (torch.from_numpy(one).to(device) for one in (prediction, target))
    np.testing.assert_array_equal(counted(*masks, CLASSES).cpu().numpy(), expected)
