import numpy as np

from wsss.metrics.bootstrap import image_weights, resampled
from wsss.metrics.confusion import confusion_matrix, mean_iou, void_as_background
from wsss.metrics.overlaps import mean_iou_of_overlaps, overlaps


def matrices(num=12, num_classes=4):
    """Of images that show few labels each, the last of them in one image alone."""
    rng = np.random.default_rng(0)
    for number in range(num):
        labels = [0, 4] if number == 0 else [0, *rng.choice([1, 2, 3], 1)]
        target = rng.choice([*labels, 255], (9, 8)).astype(np.uint8)
        prediction = rng.choice([*labels, 255], (9, 8)).astype(np.uint8)
        yield confusion_matrix(prediction, target, num_classes)


def test_a_resample_s_mean_iou_is_that_of_its_summed_confusion_matrices():
    """A label that no image of a resample shows is left out, as the metric does."""
    every = [*matrices()]
    counts = np.stack([overlaps(matrix) for matrix in every])
    found = resampled(
        counts.reshape(len(every), -1),
        lambda sums: mean_iou_of_overlaps(sums.reshape(-1, 5, 3)),
        num_resamples=50,
    )
    weights = np.concatenate([*image_weights(len(every), 50)]).astype(int)
    absent = 0
    for score, weight in zip(found, weights, strict=True):
        drawn = [matrix for matrix, times in zip(every, weight, strict=True) for _ in range(times)]
        assert np.isclose(score, mean_iou(void_as_background(np.sum(drawn, axis=0))), atol=1e-12)
        absent += weight[0] == 0
    assert absent > 5


def test_nothing_counted_is_no_score():
    assert np.isnan(mean_iou_of_overlaps(np.zeros((2, 5, 3)))).all()
