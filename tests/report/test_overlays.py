import numpy as np

from wsss.artifacts import voc_palette
from wsss.data.sample import VOID_LABEL
from wsss.report.overlays import (
    css_color,
    greyscale,
    hatching,
    heat_overlay,
    label_overlay,
    outlines,
    palette,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)


def test_void_is_hatched_whatever_the_image():
    labels = np.full((20, 24), VOID_LABEL, dtype=np.uint8)
    expected = np.broadcast_to(hatching(20, 24), (20, 24, 3))
    np.testing.assert_array_equal(label_overlay(IMAGE, labels), expected)


def test_background_stays_grey():
    drawn = label_overlay(IMAGE, np.zeros((20, 24), dtype=np.uint8))
    assert (drawn == drawn[..., :1]).all()
    np.testing.assert_allclose(drawn, 0.6 * greyscale(IMAGE), atol=0.51)


def test_an_object_leans_to_its_color():
    drawn = label_overlay(IMAGE, np.full((20, 24), 3, dtype=np.uint8)).astype(int)
    red, green, blue = voc_palette()[3].tolist()
    assert (red, green, blue) == (128, 128, 0)
    assert (drawn[..., 0] > drawn[..., 2]).all()
    assert (drawn[..., 0] == drawn[..., 1]).all()


def test_outlines_are_the_rim_of_objects():
    labels = np.zeros((7, 7), dtype=np.uint8)
    labels[1:6, 1:6] = 2
    rim = labels == 2
    rim[2:5, 2:5] = False
    np.testing.assert_array_equal(outlines(labels), rim)


def test_no_heat_is_the_darkened_image_and_more_heat_is_brighter():
    cold = heat_overlay(IMAGE, np.zeros((20, 24), dtype=np.float32))
    hot = heat_overlay(IMAGE, np.ones((20, 24), dtype=np.float32))
    np.testing.assert_allclose(cold, 0.6 * greyscale(IMAGE), atol=0.51)
    assert hot[..., 0].min() > 200


def test_css_color():
    assert css_color(1) == "#800000"


def test_no_class_is_grey():
    assert not any(len({*palette()[label].tolist()}) == 1 for label in range(1, 21))
