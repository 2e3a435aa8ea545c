"""What the probe is given, and what it makes of images without tags."""

import numpy as np
import pytest
import torch

from wsss.data.sample import Item
from wsss.errors import WsssError
from wsss.models.pixel_probe import tag_probabilities
from wsss.stage_tools.labelled_cells import Cells
from wsss.stages.probe import _joined, _mean_probabilities, statistics_of


def test_statistics_are_those_of_all_rows_whatever_is_added_up_at_once():
    rows = np.random.default_rng(0).normal(5, 2, size=(1001, 7)).astype(np.float16)
    mean, deviation = statistics_of(rows, rows=64)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, exact.std(axis=0), rtol=1e-5)


def test_without_a_labelled_cell_there_is_nothing_to_learn_from():
    empty = Cells(np.zeros((0, 3), dtype=np.float16), np.zeros((0, 2), dtype=np.float16))
    one = Cells(np.ones((1, 3), dtype=np.float16), np.ones((1, 2), dtype=np.float16))
    assert len(_joined([empty, one]).features) == 1
    for nothing in ([], [empty]):
        with pytest.raises(WsssError, match="no image has a pixel that is labelled"):
            _joined(nothing)


def test_probabilities_are_averaged_over_passes_and_leave_the_rest_to_background():
    logits = [torch.randn(2, 4, 3, 5), torch.randn(2, 4, 6, 10)]
    item = Item("one", labels=(1, 3))
    found = _mean_probabilities(logits, item, (24, 40))
    assert found.shape == (2, 6, 10)
    assert (found > 0).all()
    assert (found.sum(dim=0) < 1).all()
    one = tag_probabilities(logits[1][0], (1, 3))
    other = tag_probabilities(logits[1][1], (1, 3))
    torch.testing.assert_close(_mean_probabilities(logits[1:], item, (24, 40)), (one + other) / 2)
    assert _mean_probabilities(logits, Item("none", labels=()), (24, 40)).shape[0] == 0
