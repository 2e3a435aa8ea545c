"""Figures of resamples against the metrics themselves, which see the drawn images one by one."""

import numpy as np
import pytest
import torch
from cam_benchmark import intervals
from cam_benchmark.averages import Faithfulness
from cam_benchmark.boxes import MaxBoxAccuracy
from cam_benchmark.pixels import PixelAveragePrecision
from cam_benchmark.pointing import PointingGame
from cam_benchmark.quality import Localisation

from wsss.explain.faithfulness_protocol import PairScores
from wsss.metrics.bootstrap import image_weights
from wsss.metrics.confusion import confusion_matrix, mean_iou, void_as_background
from wsss.metrics.overlaps import overlaps

NUM = 6
SIZE = (24, 32)
CLASSES = 3


@pytest.fixture
def drawn():
    """Weights and images of a few resamples."""
    (weights,) = image_weights(NUM, 4, seed=3)
    return weights, [np.repeat(np.arange(NUM), row.astype(int)) for row in weights]


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    found = []
    for number in range(NUM):
        maps = torch.from_numpy(rng.random((1, *SIZE)))
        objects = torch.zeros(1, *SIZE, dtype=torch.bool)
        objects[0, 4 : 6 + number, 5 : 20 + number] = True
        found.append((maps, objects, torch.tensor([number % CLASSES])))
    return found


def check(metric, states, statistic, update, images, drawn):
    """A metric that saw the drawn images gives the figures of the weighted sums."""
    weights, rows = drawn

    def of(chosen):
        one = metric()
        for image in chosen:
            update(one, image)
        return one

    counts = np.stack([intervals.counts_of(of([image]), *states) for image in images])
    found = statistic(weights @ counts)
    assert found
    for position, chosen in enumerate(rows):
        expected = of([images[place] for place in chosen]).compute()
        if not isinstance(expected, dict):
            expected = dict.fromkeys(found, expected)
        for name, values in found.items():
            assert values[position] == pytest.approx(float(expected[name]))


def test_faithfulness(drawn):
    rng = np.random.default_rng(0)
    images = []
    for number in range(NUM):
        values = torch.from_numpy(rng.random((7, 2 + number % 2)))
        values[0, 0] *= number != 2  # A pair that is left out.
        images.append(PairScores(*values))
    states = "sums", "counts"

    def update(metric, one):
        metric.update(one)

    check(Faithfulness, states, intervals.faithfulness, update, images, drawn)


def test_pointing(images, drawn):
    def update(metric, one):
        metric.update(*one)

    states = "hits", "totals", "energy"
    check(lambda: PointingGame(CLASSES, 2), states, intervals.pointing, update, images, drawn)


def test_pixels(images, drawn):
    def update(metric, one):
        metric.update(*one[:2], torch.ones_like(one[1]))

    states = "inside", "outside"
    check(PixelAveragePrecision, states, intervals.pixels, update, images, drawn)


def test_boxes(images, drawn):
    def update(metric, one):
        smooth = one[1].double() * 0.6 + one[0] * 0.5
        metric.update(smooth / smooth.max(), [np.array([[5, 4, 22, 9]])])

    check(MaxBoxAccuracy, ("correct", "images"), intervals.boxes, update, images, drawn)


def test_seeds(drawn):
    rng = np.random.default_rng(4)
    weights, rows = drawn

    def mask():
        return rng.integers(CLASSES + 1, size=SIZE).astype(np.uint8)

    matrices = np.array(
        [[confusion_matrix(mask(), mask(), CLASSES) for _ in range(3)] for _ in range(NUM)]
    )
    counts = np.stack([np.stack([overlaps(one) for one in own]).ravel() for own in matrices])
    found = intervals.seeds(weights @ counts, CLASSES + 1)
    for position, chosen in enumerate(rows):
        *curve, fixed = (mean_iou(void_as_background(one)) for one in matrices[chosen].sum(axis=0))
        assert found["best_miou"][position] == pytest.approx(max(curve))
        assert found["miou"][position] == pytest.approx(fixed)


def test_images_that_are_alike_have_no_spread_and_one_image_has_no_interval():
    target = np.zeros((40, 50), dtype=np.uint8)
    target[5:20, 10:30] = 1
    maps = np.where(target == 1, 0.8, 0.3)[None].astype(np.float32)
    scores = Localisation(2, seed_threshold=0.5)
    scores.update(maps, (1,), target)
    assert scores.compute()["seeds"]["intervals"] == {}
    scores.update(maps, (1,), target)
    row = scores.compute()
    for group, number in (("localisation", 5), ("seeds", 2)):
        assert len(row[group]["intervals"]) == number
        for name, ends in row[group]["intervals"].items():
            assert ends == pytest.approx((row[group][name],) * 2)
