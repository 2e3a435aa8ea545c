import numpy as np
import pytest
from cam_benchmark.seed_curve import seed_counts, seed_miou

THRESHOLDS = (0.1, 0.4, 0.9)


def case(seed):
    rng = np.random.default_rng(seed)
    maps = rng.random((2, 9, 8)).astype(np.float32)
    labels = np.array([1, 3], dtype=np.uint16)
    return maps, labels, rng.choice([0, 1, 2, 3, 255], (9, 8)).astype(np.uint8)


def naive_miou(cases, threshold, num_labels=4):
    hits, predicted, true = (np.zeros(num_labels) for _ in range(3))
    for maps, labels, target in cases:
        for y, x in np.argwhere(target != 255):
            best = maps[:, y, x].argmax()
            label = labels[best] if maps[best, y, x] > threshold else 0
            hits[label] += label == target[y, x]
            predicted[label] += 1
            true[target[y, x]] += 1
    return np.mean(hits / (predicted + true - hits))


def test_the_curve_is_that_of_a_loop_over_pixels():
    cases = [case(0), case(1)]
    counts = sum(seed_counts(*one, 3, THRESHOLDS) for one in cases)
    expected = [naive_miou(cases, threshold) for threshold in THRESHOLDS]
    assert seed_miou(counts) == pytest.approx(expected)


def test_seeds_that_are_the_objects_are_perfect_at_any_threshold():
    target = np.array([[0, 1], [3, 255]], dtype=np.uint8)
    maps = np.stack([target == 1, target == 3]).astype(np.float32)
    counts = seed_counts(maps, np.array([1, 3], dtype=np.uint16), target, 3, THRESHOLDS)
    assert seed_miou(counts).tolist() == [1, 1, 1]
