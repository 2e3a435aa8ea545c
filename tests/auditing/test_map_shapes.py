"""Shapes of maps with closed forms, and objects that are filled in."""

import numpy as np
import pytest

from wsss.auditing.filling import filled
from wsss.auditing.map_shapes import compactness, overlap


def test_a_point_is_compact_and_an_even_map_is_not():
    maps = np.zeros((3, 64, 64))
    maps[0, 10, 50] = 2
    maps[1] = 1
    np.testing.assert_allclose(compactness(maps), [1, 0, 0], atol=1e-3)


def test_half_as_wide_evidence_is_half_as_spread():
    heat = np.zeros((100, 100))
    heat[20:70, 40:90] = 1
    assert compactness(heat) == pytest.approx(0.5, abs=1e-3)


def test_overlaps():
    heat = np.array([[1.0, 3.0], [0.0, 4.0]])
    assert overlap(heat, heat) == 1
    assert overlap(heat, np.array([[2.0, 0.0], [0.0, 2.0]])) == 3 / 9


def test_an_object_takes_the_colour_around_it():
    image = np.full((40, 40, 3), 200, np.uint8)
    image[:, :12] = 10
    object_ = np.zeros((40, 40), bool)
    object_[20:28, 24:32] = True
    image[object_] = (255, 0, 0)
    found = filled(image, object_)
    np.testing.assert_array_equal(found[object_], 200)
    np.testing.assert_array_equal(found[:, :12], 10)
