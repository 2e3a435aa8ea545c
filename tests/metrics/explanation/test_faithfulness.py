import pytest
import torch

from wsss.metrics.explanation import (
    Faithfulness,
    PairScores,
    adcc_of_means,
    average_drop,
    average_drop_in_deletion,
    average_gain,
    average_increase,
    blend,
    coherency,
    complexity,
    mean_adcc,
)
from wsss.metrics.explanation.confidence import drop


@pytest.fixture
def scores(device):
    values = torch.rand(7, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values[0, 3] = 0
    return PairScores(*values.to(device))


def part(scores, rows):
    return PairScores(*(getattr(scores, name)[rows] for name in PairScores.__slots__))


def test_data_set_figures_are_those_of_all_pairs_together(scores, device):
    metric = Faithfulness().to(device)
    metric.update(part(scores, slice(0, 5)))
    metric.update(part(scores, slice(5, 12)))
    found = metric.compute()
    usable = [i for i in range(12) if i != 3]
    drops = drop(scores.whole, scores.kept)
    parts = drops, scores.coherency, scores.complexity
    assert found == pytest.approx(
        {
            "average_drop": average_drop(scores.whole, scores.kept),
            "average_increase": average_increase(scores.whole, scores.kept),
            "average_drop_in_deletion": average_drop_in_deletion(scores.whole, scores.deleted),
            "average_gain": average_gain(scores.whole, scores.kept),
            "complexity": 100 * float(scores.complexity[usable].mean()),
            "coherency": 100 * float(scores.coherency[usable].mean()),
            "deletion": 100 * float(scores.deletion[usable].mean()),
            "insertion": 100 * float(scores.insertion[usable].mean()),
            "mean_adcc": 100 * mean_adcc(*parts),
            "adcc": 100 * adcc_of_means(*parts),
            "num_pairs": 11,
            "num_excluded": 1,
        }
    )


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
