import math

import numpy as np
import pytest
import torch
from torchmetrics.classification import MultilabelAveragePrecision

from wsss.metrics.tags import TagMeanAveragePrecision


def average_precision(probabilities, tags):
    """Mean precision at the rank of every positive, without ties."""
    ranked = tags[np.argsort(-probabilities)]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return precision[ranked == 1].mean()


@pytest.mark.parametrize("seed", range(5))
def test_mean_of_the_precision_at_every_positive(seed):
    rng = np.random.default_rng(seed)
    probabilities, tags = rng.random((30, 4)), rng.integers(0, 2, (30, 4))
    metric = TagMeanAveragePrecision()
    for part in (slice(0, 7), slice(7, 30)):
        metric.update(torch.from_numpy(probabilities[part]), torch.from_numpy(tags[part]))
    expected = [average_precision(probabilities[:, c], tags[:, c]) for c in range(4)]
    assert float(metric.compute()) == pytest.approx(np.mean(expected), abs=1e-6)
    library = MultilabelAveragePrecision(4)(torch.from_numpy(probabilities), torch.from_numpy(tags))
    assert float(metric.compute()) == pytest.approx(float(library), abs=1e-6)


def test_a_class_without_images_is_left_out():
    metric = TagMeanAveragePrecision()
    metric.update(torch.tensor([[0.9, 0.2], [0.1, 0.7]]), torch.tensor([[1, 0], [0, 0]]))
    assert float(metric.compute()) == 1


def test_nothing_to_score():
    metric = TagMeanAveragePrecision()
    metric.update(torch.tensor([[0.9, 0.2]]), torch.tensor([[0, 0]]))
    assert math.isnan(float(metric.compute()))
