"""Means of maps over images, against resamples of images that are laid out one by one."""

import numpy as np
import pytest

from wsss.cli.tables.explanations import score_table
from wsss.explain.mean_scores import described_means, mean_scores
from wsss.metrics.bootstrap import image_weights

RESAMPLES = 50


def entry(values, baseline=0.5):
    return {
        "explanations": [{"method": "cam", "drop": one, "probability": 0.1} for one in values],
        "baselines": [{"method": "random_map", "drop": baseline}],
    }


def test_maps_of_an_image_are_drawn_together():
    values = [[0.1, 0.2], [0.9], [0.4, 0.5, None], [], [0.3]]
    found = mean_scores([entry(own) for own in values], RESAMPLES)["cam"]
    assert [*found] == ["drop"]
    known = [[one for one in own if one is not None] for own in values]
    assert found["drop"].value == pytest.approx(np.mean([one for own in known for one in own]))
    assert found["drop"].num_images == 4
    (weights,) = image_weights(5, RESAMPLES)
    draws = [
        np.mean([one for own, times in zip(known, row, strict=True) for one in own * int(times)])
        for row in weights
    ]
    ends = np.quantile(draws, [0.025, 0.975])
    assert [found["drop"].low, found["drop"].high] == pytest.approx(ends)


def test_one_image_has_no_interval_and_nothing_known_no_mean():
    means = mean_scores([entry([0.1, 0.3])], RESAMPLES)
    described = described_means(means)["methods"]
    assert described["cam"]["drop"] == {"mean": pytest.approx(0.2), "interval": None, "images": 1}
    none = described_means(mean_scores([entry([None])], RESAMPLES))["methods"]["cam"]["drop"]
    assert none == {"mean": None, "interval": None, "images": 0}


def test_baselines_are_the_last_rows_of_the_table():
    means = mean_scores([entry([0.1]), entry([0.3], 0.7)], RESAMPLES)
    names, drops = ([*column.cells] for column in score_table(means).columns)
    assert [str(one) for one in names] == ["cam", "random map"]
    assert drops == ["20.0 (10.0–30.0)", "60.0 (50.0–70.0)"]
