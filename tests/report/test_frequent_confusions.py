import numpy as np
import pytest

from wsss.report.frequent_confusions import Confusion, frequent_confusions


def test_the_largest_entries_off_the_diagonal():
    counts = np.array([[90, 10, 0, 0], [5, 60, 30, 5], [0, 0, 8, 2]])
    first, second, *_ = found = frequent_confusions(counts, 4)
    assert first == Confusion(1, 2, pytest.approx(0.3), pytest.approx(30 / 52))
    assert second == Confusion(0, 1, pytest.approx(0.1), pytest.approx(10 / 52))
    assert [(one.true, one.taken_for) for one in found[2:]] == [(1, 0), (1, 3)]
    assert len(frequent_confusions(counts, 99)) == 5


def test_a_perfect_matrix_has_none():
    assert frequent_confusions(np.eye(3, 4, dtype=int), 5) == ()
