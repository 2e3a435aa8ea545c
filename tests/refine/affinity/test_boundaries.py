"""Affinity from boundaries against loops over pixels."""

import itertools

import pytest
import torch

from wsss.refine.affinity.boundaries import boundary_affinity
from wsss.refine.affinity.paths import pair_offsets, path


def naive_affinity(boundary, radius):
    images, height, width = boundary.shape
    found = boundary.new_zeros((images, len(pair_offsets(radius)), height, width))
    places = itertools.product(range(images), range(height), range(width))
    for image, row, column in places:
        for index, (down, right) in enumerate(pair_offsets(radius)):
            if row + down < height and 0 <= column + right < width:
                between = [
                    boundary[image, row + one, column + other] for one, other in path((down, right))
                ]
                found[image, index, row, column] = 1 - torch.stack(between).max()
    return found


@pytest.mark.parametrize(("size", "radius"), [((9, 7), 4), ((6, 11), 5), ((3, 2), 5), ((1, 1), 3)])
def test_affinity_is_one_minus_the_strongest_boundary_on_the_path(device, size, radius):
    boundary = torch.rand(2, *size, generator=torch.manual_seed(0), dtype=torch.float64)
    found = boundary_affinity(boundary.to(device), radius).cpu()
    torch.testing.assert_close(found, naive_affinity(boundary, radius), rtol=0, atol=0)


def test_gradients_are_those_of_the_loops(device):
    boundary = torch.rand(1, 6, 7, generator=torch.manual_seed(1), dtype=torch.float64)
    weights = torch.rand(1, len(pair_offsets(4)), 6, 7, dtype=torch.float64)
    gradients = []
    for function, place in ((boundary_affinity, device), (naive_affinity, "cpu")):
        leaf = boundary.clone().to(place).requires_grad_()
        affinity = function(leaf, 4)
        (affinity * weights.to(place)).sum().backward()
        gradients.append(leaf.grad.cpu())
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_a_line_parts_what_is_on_its_sides():
    boundary = torch.zeros(1, 8, 9)
    boundary[:, :, 4] = 1
    affinity = boundary_affinity(boundary, 4)
    side = torch.arange(9).sub(4).sign()
    for index, (down, right) in enumerate(pair_offsets(4)):
        for row, column in itertools.product(range(8), range(9)):
            inside = row + down < 8 and 0 <= column + right < 9
            together = inside and side[column] == side[column + right] != 0
            assert affinity[0, index, row, column] == float(together)
