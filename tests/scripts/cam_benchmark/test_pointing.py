import math

import pytest
import torch
from cam_benchmark.pointing import PointingGame, energy_in_object, points_at_object


def boxed(left, top, right, bottom, size):
    mask = torch.zeros(1, *size, dtype=torch.bool)
    mask[:, top:bottom, left:right] = True
    return mask


def peak(row, column, size=(40, 60)):
    maps = torch.zeros(1, *size)
    maps[0, row, column] = 1
    return maps


@pytest.mark.parametrize(("distance", "hit"), [(0, True), (14, True), (15, False), (16, False)])
def test_a_point_nearer_than_15_pixels_is_a_hit(distance, hit):
    mask = boxed(0, 0, 20, 40, (40, 60))
    assert points_at_object(peak(20, 19 + distance), mask).tolist() == [hit]


def test_distances_are_those_between_pixel_centres():
    mask = torch.zeros(1, 40, 60, dtype=torch.bool)
    mask[0, 0, 0] = True
    assert points_at_object(peak(9, 11), mask).item()  # √202 < 15
    assert not points_at_object(peak(9, 12), mask).item()  # exactly 15
    assert not points_at_object(peak(10, 12), mask).item()


def test_hits_are_those_of_all_distances(device):
    rng = torch.Generator().manual_seed(0)
    maps = torch.rand(60, 24, 30, generator=rng).to(device)
    masks = torch.rand(60, 24, 30, generator=rng).to(device) < 0.003
    found = points_at_object(maps, masks, tolerance_px=6)
    for one, mask, hit in zip(maps, masks, found, strict=True):
        top = next((y, x) for y in range(24) for x in range(30) if one[y, x] == one.max())
        assert bool(hit) == any(math.dist(top, pixel.tolist()) < 6 for pixel in mask.nonzero())
    assert 0 < found.sum() < 60


def test_an_absent_object_is_never_hit():
    assert not points_at_object(peak(3, 3), torch.zeros(1, 40, 60, dtype=torch.bool)).item()


def test_the_energy_of_a_uniform_map_is_the_share_of_the_box(device):
    mask = boxed(2, 1, 7, 4, (10, 12)).to(device)
    energy = energy_in_object(torch.ones(1, 10, 12, dtype=torch.float64).to(device), mask)
    assert float(energy) == pytest.approx(5 * 3 / 120)


def test_energy_counts_rows_as_rows():
    maps = torch.zeros(1, 6, 9)
    maps[0, 1, 5] = 2.0
    assert energy_in_object(maps, boxed(5, 1, 6, 2, (6, 9))) == 1
    assert energy_in_object(maps, boxed(1, 5, 2, 6, (6, 9))) == 0
    assert energy_in_object(0 * maps, boxed(0, 0, 9, 6, (6, 9))) == 0


def test_accuracy_is_the_mean_over_classes_that_occur():
    game = PointingGame(num_classes=4)
    mask = boxed(0, 0, 5, 5, (40, 60))
    for row, column, label in ((2, 2, 0), (39, 59, 0), (0, 3, 0), (39, 59, 0), (1, 1, 2)):
        game.update(peak(row, column), mask, torch.tensor([label]))
    scores = game.compute()
    assert scores["pointing"] == pytest.approx((0.5 + 1) / 2)
    assert scores["energy"] == pytest.approx(3 / 5)


def test_batches_and_single_maps_count_alike(device):
    rng = torch.Generator().manual_seed(1)
    maps = torch.rand(12, 20, 20, generator=rng).to(device)
    masks = torch.rand(12, 20, 20, generator=rng).to(device) < 0.002
    classes = torch.arange(12, device=device) % 3
    whole, parts = (PointingGame(3, tolerance_px=5).to(device) for _ in range(2))
    whole.update(maps, masks, classes)
    for index in range(12):
        parts.update(maps[index, None], masks[index, None], classes[index, None])
    assert whole.compute() == pytest.approx(parts.compute())


def test_nothing_counted_has_no_score():
    game = PointingGame(2)
    game.update(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4, dtype=torch.bool), torch.arange(0))
    assert all(math.isnan(score) for score in game.compute().values())
