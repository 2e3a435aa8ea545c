"""Mean maps, compared with closed forms."""

import numpy as np
import pytest

from wsss.explain.summary.class_mean_maps import (
    ClassMeanMaps,
    MeanMap,
    centred_map,
    frame_map,
    place_of,
)


def rectangle(height, width, top, left, tall, wide):
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + tall, left : left + wide] = True
    return mask


def disc(side, row, column, radius):
    rows, columns = np.ogrid[:side, :side]
    return (rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2 <= radius**2


@pytest.mark.parametrize("shape", [(24, 24), (96, 60), (30, 200), (7, 5)])
def test_a_ramp_is_a_ramp_in_the_frame_at_every_size(shape):
    height, width = shape
    across = np.broadcast_to((np.arange(width) + 0.5) / width, shape)
    down = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], shape)
    positions = (np.arange(12) + 0.5) / 12
    inner = slice(2, -2)  # beyond the outermost centres of a small map nothing is known
    found = frame_map(across, 12)[:, inner]
    np.testing.assert_allclose(found, np.broadcast_to(positions[inner], found.shape), atol=0.02)
    found = frame_map(down, 12)[inner]
    np.testing.assert_allclose(
        found, np.broadcast_to(positions[inner, None], found.shape), atol=0.02
    )


def test_a_rectangle_has_its_own_middle_and_sides():
    place = place_of(rectangle(40, 100, top=10, left=20, tall=8, wide=50))
    assert place.centre == pytest.approx((14 / 40, 45 / 100))
    assert place.extent == pytest.approx((8 / 40, 50 / 100))


def test_a_disc_has_the_extent_of_its_variance():
    """The variance of a disc of radius r along an axis is r²/4."""
    place = place_of(disc(400, 200, 120, 80))
    assert place.centre == pytest.approx((0.5, 0.3), abs=1e-3)
    assert place.extent == pytest.approx([np.sqrt(12 / 4) * 80 / 400] * 2, rel=1e-3)


def test_nothing_has_no_place():
    assert place_of(np.zeros((4, 5), dtype=bool)) is None


@pytest.mark.parametrize(
    "box", [(60, 80, 20, 30, 12, 24), (120, 90, 36, 30, 50, 20), (64, 64, 8, 8, 16, 16)]
)
def test_objects_of_all_places_and_sizes_are_the_middle_square(box):
    mask = rectangle(*box)
    values, covered = centred_map(mask.astype(float), place_of(mask), side=40, reach=2.0)
    steps = np.abs((np.arange(40) + 0.5) / 40 - 0.5) * 2
    inside = (steps < 0.4)[:, None] & (steps < 0.4)[None]
    outside = (steps > 0.6)[:, None] | (steps > 0.6)[None]
    np.testing.assert_allclose(values[inside & covered], 1)
    np.testing.assert_allclose(values[outside & covered], 0, atol=1e-12)


def test_positions_beyond_the_image_are_not_covered():
    mask = rectangle(20, 20, top=0, left=0, tall=10, wide=10)
    _, covered = centred_map(np.ones((20, 20)), place_of(mask), side=4, reach=3.0)
    # 0.25 ± 0.1875 and ± 0.5625 of the image: an extent is half of it.
    expected = np.array([False, True, True, True])
    np.testing.assert_array_equal(covered, expected[:, None] & expected[None])


def test_evidence_beside_objects_of_all_sizes_is_one_ring():
    mean = MeanMap(side=32)
    for radius, row in ((10, 50), (20, 60), (15, 45)):
        mask = disc(120, row, 60, radius)
        ring = disc(120, row, 60, 1.5 * radius) & ~mask
        mean.add(*centred_map(ring.astype(float), place_of(mask), side=32, reach=4.0))
    at = ((np.arange(32) + 0.5) / 32 - 0.5) * 4 * np.sqrt(3)  # in radii: an extent is √3 of them
    distance = np.hypot(at[:, None], at[None])
    assert mean.mean[(distance > 1.15) & (distance < 1.35)].min() > 0.7
    assert mean.mean[(distance < 0.8) | (distance > 1.75)].max() < 0.05
    assert mean.num_images == 3


def test_mean_and_spread_are_those_of_the_images_that_cover_a_position():
    rng = np.random.default_rng(0)
    maps, covered = rng.random((9, 4, 4)), rng.random((9, 4, 4)) < 0.6
    mean = MeanMap(side=4)
    for one, there in zip(maps, covered, strict=True):
        mean.add(one, there)
    seen = np.ma.array(maps, mask=~covered)
    np.testing.assert_allclose(mean.mean, seen.mean(axis=0).filled(0))
    np.testing.assert_allclose(mean.spread, seen.std(axis=0).filled(0))
    np.testing.assert_array_equal(mean.counts, covered.sum(axis=0))


def test_a_class_counts_images_without_an_object_in_the_frame_alone():
    maps = ClassMeanMaps()
    heat = np.full((8, 8), 0.5, dtype=np.float32)
    maps.add(heat, rectangle(8, 8, 2, 2, 4, 4))
    maps.add(heat, np.zeros((8, 8), dtype=bool))
    maps.add(heat, None)
    assert (maps.frame.num_images, maps.centred.num_images) == (3, 1)
    np.testing.assert_allclose(maps.frame.mean, 0.5)
    np.testing.assert_allclose(maps.frame.spread, 0)
    assert maps.outside == [pytest.approx(48 / 64)]
    maps.add(heat, rectangle(8, 8, 2, 2, 4, 4), of_itself=True)
    assert (maps.centred.num_images, len(maps.outside)) == (2, 1)
