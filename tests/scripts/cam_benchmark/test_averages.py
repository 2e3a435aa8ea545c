import math
import statistics

import pytest
import torch
from cam_benchmark.averages import Faithfulness, gain

from wsss.explain.faithfulness_protocol import PairScores
from wsss.metrics.explanation.adcc import coherency, complexity
from wsss.metrics.explanation.replacement_images import blend


@pytest.fixture
def scores(device):
    values = torch.rand(7, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values[0, 3] = 0
    return PairScores(*values.to(device))


def part(scores, rows):
    return PairScores(*(getattr(scores, name)[rows] for name in PairScores.__slots__))


def mean_percent(values):
    return 100 * sum(values) / len(values)


def test_data_set_figures_are_those_of_all_pairs_together(scores, device):
    metric = Faithfulness().to(device)
    metric.update(part(scores, slice(0, 5)))
    metric.update(part(scores, slice(5, 12)))
    columns = (getattr(scores, name).tolist() for name in PairScores.__slots__)
    pairs = [row for row in zip(*columns, strict=True) if row[0] > 0]
    drops = [max(0, y - o) / y for y, o, *_ in pairs]
    parts = [
        (1 - lost, coh, 1 - com) for lost, (*_, com, coh, _, _) in zip(drops, pairs, strict=True)
    ]
    means = [sum(column) / 11 for column in zip(*parts, strict=True)]
    assert metric.compute() == pytest.approx(
        {
            "average_drop": mean_percent(drops),
            "average_increase": mean_percent([o > y for y, o, *_ in pairs]),
            "average_drop_in_deletion": mean_percent([(y - d) / y for y, _, d, *_ in pairs]),
            "average_gain": mean_percent([max(0, o - y) / (1 - y) for y, o, *_ in pairs]),
            "complexity": mean_percent([com for *_, com, _, _, _ in pairs]),
            "coherency": mean_percent([coh for *_, coh, _, _ in pairs]),
            "deletion": mean_percent([area for *_, area, _ in pairs]),
            "insertion": mean_percent([area for *_, area in pairs]),
            "mean_adcc": mean_percent([statistics.harmonic_mean(row) for row in parts]),
            "adcc": 100 * statistics.harmonic_mean(means),
            "num_pairs": 11,
            "num_excluded": 1,
        }
    )


def test_what_can_be_gained_is_what_is_missing(device):
    whole, kept = torch.tensor([[0.8, 0.8, 1.0, 0.0], [0.6, 0.9, 1.0, 0.5]], device=device)
    assert gain(whole, kept).tolist() == pytest.approx([0, 0.5, 0, math.nan], nan_ok=True)


def test_the_full_mask_keeps_everything_and_explains_nothing(device):
    rng = torch.Generator().manual_seed(0)
    images, substrate = torch.rand(2, 4, 3, 6, 5, dtype=torch.float64, generator=rng).to(device)
    images = images / 3  # Values whose differences are rounded.
    full = images.new_ones(4, 6, 5)

    def confidence(batch):
        return (batch.mean(dim=(2, 3)) @ batch.new_tensor([3.0, -1, 2])).sigmoid()

    whole, kept, deleted = (
        confidence(one)
        for one in (images, blend(images, full, substrate), blend(images, 1 - full, substrate))
    )
    metric = Faithfulness().to(device)
    metric.update(PairScores(whole, kept, deleted, complexity(full), coherency(full, full)))
    found = metric.compute()
    assert found["average_drop"] == found["average_increase"] == found["coherency"] == 0
    assert found["complexity"] == 100
    assert found["adcc"] == found["mean_adcc"] == 0


def test_curves_that_were_not_measured_are_left_out():
    ones = torch.ones(4)
    metric = Faithfulness()
    metric.update(PairScores(ones, ones, ones, ones, ones))
    assert "deletion" not in metric.compute()
    assert "insertion" not in metric.compute()


def test_nothing_measured_has_no_averages():
    metric = Faithfulness()
    none = torch.zeros(2)
    metric.update(PairScores(none, none, none, none, none))
    assert metric.compute() == {"num_pairs": 0, "num_excluded": 2}
