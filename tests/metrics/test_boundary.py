"""Boundary IoU against the authors' code, and against distances of all pairs of pixels."""

import cv2
import numpy as np
import pytest

from wsss.metrics.boundary import boundary, boundary_overlaps, boundary_width_px
from wsss.metrics.overlaps import iou_of_overlaps


def blobs(seed, size=(40, 52), num_labels=4, void=0.0):
    """A mask of smooth regions, as objects are."""
    rng = np.random.default_rng(seed)
    scores = [cv2.GaussianBlur(rng.standard_normal(size), (0, 0), 3) for _ in range(num_labels)]
    mask = np.argmax(scores, axis=0).astype(np.uint8)
    mask[rng.random(size) < void] = 255
    return mask


def authors_boundary(mask, ratio=0.02):
    """`mask_to_boundary` of github.com/bowenc0221/boundary-iou-api."""
    h, w = mask.shape
    dilation = round(ratio * np.sqrt(h**2 + w**2))
    if dilation < 1:
        dilation = 1
    new_mask = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(new_mask, np.ones((3, 3), dtype=np.uint8), iterations=dilation)
    return mask - eroded[1 : h + 1, 1 : w + 1]


def brute_boundary(region, width):
    """Pixels of a region from which another pixel, or the outside, is at most `width` away."""
    height, columns = region.shape
    found = np.zeros_like(region)
    for y, x in np.argwhere(region):
        reach = range(-width, width + 1)
        near = [(y + dy, x + dx) for dy in reach for dx in reach]
        found[y, x] = not all(
            0 <= v < height and 0 <= u < columns and region[v, u] for v, u in near
        )
    return found


@pytest.mark.parametrize("size", [(40, 52), (7, 90), (3, 3), (180, 250)])
def test_boundaries_are_those_of_the_authors_code(size):
    mask = blobs(1, size)
    near = boundary(mask, boundary_width_px(size))
    for label in range(4):
        region = (mask == label).astype(np.uint8)
        assert np.array_equal(near & (mask == label), authors_boundary(region).astype(bool))


@pytest.mark.parametrize("seed", range(3))
def test_overlaps_are_those_of_all_pairs_of_pixels(seed):
    target, prediction = blobs(seed, void=0.02), blobs(seed + 10)
    prediction = np.where(
        np.random.default_rng(seed).random(target.shape) < 0.9, target, prediction
    )
    width = round(0.02 * np.hypot(*target.shape))
    assert width == 1
    found = boundary_overlaps(prediction, target, num_classes=4)
    seen = np.where(prediction == 255, 0, prediction)
    for label in range(5):
        known = target != 255
        ours = brute_boundary((seen == label) & known, width)
        theirs = brute_boundary((target == label) & known, width)
        assert found[label].tolist() == [(ours & theirs).sum(), ours.sum(), theirs.sum()]


def test_the_prediction_below_void_does_not_matter():
    """An outline drawn as a void band: any outline in it is right."""
    target = np.zeros((60, 80), dtype=np.uint8)
    target[20:40, 30:60] = 255
    target[24:36, 34:56] = 1
    exact, other = (np.where(target == 255, 0, target) for _ in range(2))
    other[20:40, 30:60] = 1
    perfect = boundary_overlaps(exact, target, 1)
    assert iou_of_overlaps(perfect).tolist() == [1, 1]
    assert np.array_equal(boundary_overlaps(other, target, 1), perfect)


def test_a_shifted_square_by_hand():
    """A width of one: the outlines of two squares of 10 × 10, five columns apart."""
    target = np.zeros((40, 40), dtype=np.uint8)
    prediction = target.copy()
    target[10:20, 10:20] = prediction[10:20, 15:25] = 1
    assert boundary_width_px(target.shape) == 1
    # They share the upper and lower rows where they overlap: 2 · 5.
    assert boundary_overlaps(prediction, target, 1)[1].tolist() == [10, 36, 36]


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        boundary_overlaps(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 1)
