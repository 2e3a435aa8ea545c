import math

import numpy as np
import pytest
import torch
from cam_benchmark.boxes import (
    THRESHOLDS,
    MaxBoxAccuracy,
    best_ious,
    box_iou,
    component_boxes,
    scale_boxes,
)


def flood(mask, start, steps):
    """All set pixels that can be reached from one of them by `steps`."""
    reached, waiting = {start}, [start]
    while waiting:
        y, x = waiting.pop()
        for dy, dx in steps:
            near = (y + dy, x + dx)
            inside = 0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1]
            if inside and near not in reached and mask[near]:
                reached.add(near)
                waiting.append(near)
    return reached


SIDES = [(0, 1), (1, 0), (0, -1), (-1, 0)]
CORNERS = [*SIDES, (1, 1), (1, -1), (-1, 1), (-1, -1)]


def outline_area(pixels, shape):
    """Area through the centres of a part's outer pixels: full and half squares of four pixels."""
    part = np.zeros((shape[0] + 2, shape[1] + 2), dtype=bool)
    for y, x in pixels:
        part[y + 1, x + 1] = True
    outside = flood(~part, (0, 0), SIDES)
    filled = np.ones_like(part)
    for pixel in outside:
        filled[pixel] = False
    corners = sum(
        filled[dy : filled.shape[0] - 1 + dy, dx : filled.shape[1] - 1 + dx].astype(int)
        for dy in (0, 1)
        for dx in (0, 1)
    )
    return (corners == 4).sum() + 0.5 * (corners == 3).sum()


def naive_boxes(mask):
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        pixels = flood(mask, next(iter(left)), CORNERS)
        left -= pixels
        ys, xs = [y for y, _ in pixels], [x for _, x in pixels]
        area = outline_area(pixels, mask.shape)
        found.append((-area, min(ys), min(xs), (min(xs), min(ys), max(xs), max(ys))))
    return [box for *_, box in sorted(found)]


def naive_iou(box, other):
    one = {(y, x) for x in range(box[0], box[2] + 1) for y in range(box[1], box[3] + 1)}
    two = {(y, x) for x in range(other[0], other[2] + 1) for y in range(other[1], other[3] + 1)}
    return len(one & two) / len(one | two)


def smooth_noise(seed, size=(14, 16)):
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((1, 1, 6, 7)))
    maps = torch.nn.functional.interpolate(small, size=size, mode="bilinear")[0, 0].numpy()
    return (maps - maps.min()) / (maps.max() - maps.min())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("density", [0.2, 0.4, 0.7])
def test_parts_and_their_order_are_those_of_flooding(seed, density):
    mask = np.random.default_rng(seed).random((11, 13)) < density
    assert [tuple(box) for box in component_boxes(mask)] == naive_boxes(mask)


def test_holes_are_no_parts_but_islands_in_them_are():
    mask = np.zeros((12, 12), dtype=bool)
    mask[1:11, 1:11] = True
    mask[3:9, 3:9] = False
    mask[5:7, 5:7] = True
    assert component_boxes(mask).tolist() == [[1, 1, 10, 10], [5, 5, 6, 6]]
    assert component_boxes(np.zeros((3, 3), dtype=bool)).shape == (0, 4)


def test_box_iou_counts_pixels():
    rng = np.random.default_rng(0)
    first, size = rng.integers(0, 8, (2, 6, 2)), rng.integers(0, 8, (2, 6, 2))
    boxes, others = (np.concatenate([a, a + b], axis=1) for a, b in zip(first, size, strict=True))
    found = box_iou(boxes, others)
    for i, box in enumerate(boxes):
        for j, other in enumerate(others):
            assert found[i, j] == pytest.approx(naive_iou(box, other))


def test_a_map_that_is_the_box_is_always_right():
    metric = MaxBoxAccuracy()
    maps = torch.zeros(2, 20, 30)
    maps[0, 4:12, 5:25] = 1
    maps[1, 0:3, 0:3] = 0.5
    metric.update(maps, [np.array([[5, 4, 24, 11]]), np.array([[9, 9, 12, 12], [0, 0, 2, 2]])])
    assert metric.compute() == {"max_box_acc": 1, "max_box_acc_v2": 1}


@pytest.mark.parametrize("seed", range(3))
def test_ious_at_all_thresholds_are_those_of_flooding(seed):
    maps = smooth_noise(seed)
    truth = np.array([[2, 3, 9, 8], [8, 1, 14, 12]])
    some = THRESHOLDS[::37]
    found = best_ious(maps, truth, some)
    levels = np.floor(maps * 255)
    for threshold, (any_box, largest) in zip(some, found, strict=True):
        boxes = naive_boxes(levels > threshold * levels.max())
        ious = [max(naive_iou(box, true) for true in truth) for box in boxes]
        assert any_box == pytest.approx(max(ious))
        assert largest == pytest.approx(ious[0])


def test_accuracy_is_the_best_over_thresholds_of_all_images_together(device):
    metric = MaxBoxAccuracy().to(device)
    maps = [smooth_noise(seed) for seed in range(6)]
    truths = [np.array([[2, 3, 9, 8]]), np.array([[8, 1, 14, 12]])] * 3
    metric.update(torch.from_numpy(np.stack(maps[:4])).to(device), truths[:4])
    metric.update(torch.from_numpy(np.stack(maps[4:])).to(device), truths[4:])
    ious = np.stack([best_ious(one, truth) for one, truth in zip(maps, truths, strict=True)])
    v2 = [max(np.mean(ious[:, t, 0] >= d) for t in range(1000)) for d in (0.3, 0.5, 0.7)]
    assert metric.compute()["max_box_acc"] == pytest.approx(
        max(np.mean(ious[:, t, 1] >= 0.5) for t in range(1000))
    )
    assert metric.compute()["max_box_acc_v2"] == pytest.approx(np.mean(v2))
    assert 0 < metric.compute()["max_box_acc_v2"] < 1


def naive_accuracies(maps, truths):
    """Both figures from the paper's definition: a threshold, an image, a part after the other."""
    v1, v2 = [], {delta: [] for delta in (0.3, 0.5, 0.7)}
    for threshold in THRESHOLDS:
        largest, best = [], []
        for one, boxes in zip(maps, truths, strict=True):
            levels = np.floor(255 * one)
            ious = [
                max(naive_iou(box, true) for true in boxes)
                for box in naive_boxes(levels > threshold * levels.max())
            ]
            largest.append(ious[0] if ious else 0.0)
            best.append(max(ious, default=0.0))
        v1.append(sum(iou >= 0.5 for iou in largest) / len(maps))
        for delta, accuracies in v2.items():
            accuracies.append(sum(iou >= delta for iou in best) / len(maps))
    return max(v1), sum(max(accuracies) for accuracies in v2.values()) / 3


def test_both_accuracies_are_those_of_the_definition():
    maps = [smooth_noise(seed, size=(9, 10)) for seed in range(4)]
    truths = [[[1, 2, 5, 6]], [[5, 0, 9, 6], [0, 6, 2, 8]], [[3, 1, 8, 7]], [[0, 0, 4, 4]]]
    metric = MaxBoxAccuracy()
    metric.update(torch.from_numpy(np.stack(maps)), [np.array(boxes) for boxes in truths])
    found = metric.compute()
    v1, v2 = naive_accuracies(maps, truths)
    assert (found["max_box_acc"], found["max_box_acc_v2"]) == pytest.approx((v1, v2))
    assert 0 < v1 < 1
    assert 0 < v2 < 1


def test_the_largest_part_alone_counts_in_the_first_figure_and_any_part_in_the_second():
    maps = torch.zeros(1, 20, 20)
    maps[0, 1:12, 1:12] = 1
    maps[0, 15:19, 15:19] = 1
    metric = MaxBoxAccuracy()
    metric.update(maps, [np.array([[15, 15, 18, 18]])])
    assert metric.compute() == {"max_box_acc": 0, "max_box_acc_v2": 1}


def test_the_box_of_a_hole_is_never_right():
    maps = torch.zeros(1, 30, 30)
    maps[0, 1:29, 1:29] = 1
    maps[0, 10:20, 10:20] = 0
    metric = MaxBoxAccuracy()
    metric.update(maps, [np.array([[10, 10, 19, 19]])])
    assert metric.compute() == {"max_box_acc": 0, "max_box_acc_v2": 0}


def test_an_empty_map_marks_nothing():
    assert (best_ious(np.zeros((5, 5)), np.array([[0, 0, 4, 4]])) == 0).all()


def test_maps_are_seen_in_eight_bit():
    maps = np.full((4, 4), 0.5)
    maps[1, 1] = 0.501  # floor(255 · 0.501) is 127, like its neighbours.
    assert best_ious(maps, np.array([[0, 0, 3, 3]]), np.array([0.99])).tolist() == [[1, 1]]


def test_boxes_scale_with_their_image():
    boxes = np.array([[0, 0, 29, 9], [3, 2, 5, 3]])
    scaled = scale_boxes(boxes, (10, 30), (20, 90))
    assert scaled.tolist() == [[0, 0, 89, 19], [9, 4, 17, 7]]
    assert scale_boxes(scaled, (20, 90), (10, 30)).tolist() == boxes.tolist()


def test_nothing_counted_has_no_score():
    metric = MaxBoxAccuracy()
    metric.update(torch.zeros(0, 4, 4), [])
    assert all(math.isnan(value) for value in metric.compute().values())


@pytest.mark.parametrize("deltas", [(0.3, 0.7), ()])
def test_the_iou_of_the_first_figure_must_be_among_them(deltas):
    with pytest.raises(ValueError, match=r"deltas=.*: expected 0\.5 among them"):
        MaxBoxAccuracy(deltas)
