import math

import numpy as np
import pytest
import torch
from cam_benchmark.pixels import PixelAveragePrecision, threshold_counts
from sklearn.metrics import average_precision_score


def case(seed):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, 1001, (3, 9, 8)) / 1000  # on the grid of thresholds
    return maps, rng.random(maps.shape) < 0.3 + 0.3 * maps, rng.random(maps.shape) < 0.9


def naive(maps, objects, valid):
    scores, truth = maps[valid], objects[valid]
    area, recall_before = 0.0, 0.0
    for threshold in np.arange(1000, -1, -1) / 1000:
        marked = scores >= threshold - 1e-9
        if not marked.any():
            continue
        recall = (marked & truth).sum() / truth.sum()
        area += (recall - recall_before) * (marked & truth).sum() / marked.sum()
        recall_before = recall
    return area


@pytest.mark.parametrize("seed", range(4))
def test_area_is_that_of_sums_over_thresholds(seed, device):
    maps, objects, valid = case(seed)
    metric = PixelAveragePrecision().to(device)
    for part in (slice(0, 1), slice(1, 3)):
        metric.update(*(torch.from_numpy(one[part]).to(device) for one in (maps, objects, valid)))
    assert float(metric.compute()) == pytest.approx(naive(maps, objects, valid), rel=1e-9)
    library = average_precision_score(objects[valid], maps[valid])
    assert float(metric.compute()) == pytest.approx(library, rel=1e-9)


def test_a_value_that_is_a_threshold_belongs_to_it(device):
    # A GPU divides by a number as it multiplies by its reciprocal: 584 of these would be larger.
    maps = torch.from_numpy(np.arange(1001) / 1000).to(device)
    objects = torch.ones_like(maps, dtype=torch.bool)
    inside, outside = threshold_counts(maps, objects, objects)
    assert inside.tolist() == [1] * 1001
    assert outside.sum() == 0


def test_values_between_thresholds_belong_to_the_lower_one(device):
    metric = PixelAveragePrecision().to(device)
    maps = torch.tensor([0.5001, 0.5009, 0.1], device=device)
    metric.update(maps, maps == 0.5001, torch.ones_like(maps, dtype=torch.bool))
    assert float(metric.compute()) == pytest.approx(0.5)


def test_a_map_that_is_the_object_has_full_area():
    _, objects, valid = (torch.from_numpy(one) for one in case(0))
    metric = PixelAveragePrecision()
    metric.update(objects.double(), objects, valid)
    assert metric.compute() == 1


def test_no_object_has_no_area():
    metric = PixelAveragePrecision()
    nothing = torch.zeros(4, dtype=torch.bool)
    metric.update(torch.rand(4), nothing, ~nothing)
    assert math.isnan(float(metric.compute()))
