"""Pairs and paths against their definitions, with distances measured by complex numbers."""

import itertools

import pytest
import torch

from wsss.refine.affinity.paths import neighbour, pair_offsets, path


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 10])
def test_every_pair_within_the_radius_comes_once(radius):
    pixels = list(itertools.product(range(2 * radius), repeat=2))
    expected = {
        frozenset((one, other))
        for one, other in itertools.combinations(pixels, 2)
        if abs(complex(*one) - complex(*other)) < radius - 1e-9
    }
    found = [
        frozenset((pixel, (pixel[0] + down, pixel[1] + right)))
        for pixel in pixels
        for down, right in pair_offsets(radius)
        if 0 <= pixel[0] + down < 2 * radius and 0 <= pixel[1] + right < 2 * radius
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_offsets_lead_forward_in_raster_order():
    offsets = pair_offsets(5)
    assert list(offsets) == sorted(offsets)
    assert all(offset > (0, 0) for offset in offsets)
    assert [len(pair_offsets(radius)) for radius in (5, 10)] == [34, 152]


@pytest.mark.parametrize("offset", pair_offsets(10))
def test_a_path_is_what_lies_nearer_than_a_pixel_to_the_line(offset):
    end = complex(*offset)
    expected = []
    for row, column in itertools.product(range(-10, 11), repeat=2):
        point = complex(row, column)
        across = (point * end.conjugate() / abs(end)).imag
        is_in_box = min(0, offset[0]) <= row <= max(0, offset[0]) and min(
            0, offset[1]
        ) <= column <= max(0, offset[1])
        if is_in_box and abs(across) < 1 - 1e-9:
            expected.append((row, column))
    assert sorted(path(offset)) == sorted(expected)
    assert {(0, 0), offset} <= set(path(offset))


def test_a_path_is_the_same_in_both_directions():
    for down, right in pair_offsets(6):
        back = {(down - row, right - column) for row, column in path((down, right))}
        assert back == set(path((down, right)))


def test_short_paths_by_hand():
    assert path((0, 2)) == ((0, 0), (0, 1), (0, 2))
    assert path((1, 1)) == ((0, 0), (0, 1), (1, 0), (1, 1))
    # At (0, 2) the distance is 4 / sqrt(13), at (1, 0) 3 / sqrt(13).
    expected = ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3))
    assert path((2, 3)) == expected
    assert path((2, -3)) == tuple(sorted((row, -column) for row, column in expected))


@pytest.mark.parametrize("offset", [(0, 1), (2, -1), (-1, 3), (0, 5), (4, 0)])
def test_neighbours_are_shifted_maps(offset):
    maps = torch.arange(24.0).view(2, 4, 3)
    found = neighbour(maps, offset, outside=-1)
    for index, row, column in itertools.product(range(2), range(4), range(3)):
        there = (row + offset[0], column + offset[1])
        is_inside = 0 <= there[0] < 4 and 0 <= there[1] < 3
        assert found[index, row, column] == (maps[index][there] if is_inside else -1)
