"""How much of a map is beside an object."""

import numpy as np
import pytest

from wsss.metrics.explanation.outside import share_outside


def test_the_share_of_a_map_outside_its_object():
    heat = np.array([[1.0, 2.0], [3.0, 4.0]])
    mask = np.array([[True, False], [False, True]])
    assert share_outside(heat, mask) == pytest.approx(0.5)
    assert share_outside(heat, mask, ignored=np.array([[False, True], [False, False]])) == (
        pytest.approx(3 / 8)
    )
    assert share_outside(np.zeros((2, 2)), mask) is None
