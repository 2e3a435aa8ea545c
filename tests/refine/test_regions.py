import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.refine.regions import restore_vanished_tags, void_small_regions

VOID = 255


def flooded_sizes(mask):
    """The size of every pixel's region, by flooding from pixel to pixel."""
    sizes = np.zeros(mask.shape, dtype=int)
    for start in np.ndindex(mask.shape):
        if sizes[start]:
            continue
        region, border = {start}, [start]
        while border:
            row, column = border.pop()
            for near in np.ndindex(3, 3):
                there = (row + near[0] - 1, column + near[1] - 1)
                inside = all(0 <= at < side for at, side in zip(there, mask.shape, strict=True))
                if inside and there not in region and mask[there] == mask[start]:
                    region.add(there)
                    border.append(there)
        for pixel in region:
            sizes[pixel] = len(region)
    return sizes


@given(seed=st.integers(0, 10_000), min_region_px=st.integers(0, 12))
@settings(max_examples=30, deadline=None)
def test_small_regions_become_void_like_by_flooding(seed, min_region_px):
    mask = np.random.default_rng(seed).choice([0, 0, 3, 9, VOID], (9, 11)).astype(np.uint8)
    before = mask.copy()
    found = void_small_regions(mask, min_region_px)
    expected = np.where(flooded_sizes(mask) < min_region_px, VOID, mask)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(mask, before)


def test_pixels_that_touch_at_a_corner_are_one_region():
    mask = np.array([[4, 0], [0, 4]], dtype=np.uint8)
    assert void_small_regions(mask, 2).tolist() == mask.tolist()
    assert void_small_regions(mask, 3).tolist() == [[VOID] * 2] * 2


def test_a_vanished_tag_gets_the_strong_pixels_that_are_nobodys():
    mask = np.array([[0, VOID, 5, 0]], dtype=np.uint8)
    maps = np.array([[[0.0, 0.0, 1.0, 0.0]], [[0.19, 0.20, 0.2, 0.1]]], dtype=np.float32)
    restored = restore_vanished_tags(mask, maps, np.array([5, 8], dtype=np.uint16))
    assert restored.mask.tolist() == [[8, 8, 5, 0]]
    assert restored.labels == (8,)
    assert mask.tolist() == [[0, VOID, 5, 0]]


@pytest.mark.parametrize(
    ("mask", "second_map", "expected"),
    [
        ([[5, 5, 0]], [0.9, 1.0, 0.1], [[5, 5, 8]]),
        ([[5, 5, 5]], [0.9, 1.0, 0.1], [[5, 8, 5]]),
        ([[0, 0, 5]], [0.0, 0.0, 0.0], [[8, 0, 5]]),
    ],
    ids=["the strongest is taken", "all are taken", "a map of zeros"],
)
def test_there_is_one_pixel_at_least(mask, second_map, expected):
    maps = np.array([[[1.0, 1.0, 1.0]], [second_map]], dtype=np.float32)
    labels = np.array([5, 8], dtype=np.uint16)
    restored = restore_vanished_tags(np.array(mask, dtype=np.uint8), maps, labels)
    assert restored.mask.tolist() == expected


@given(seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_every_tag_has_a_pixel_and_nothing_else_has(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.arange(1, 9), rng.integers(0, 5), replace=False).astype(np.uint16)
    height, width = rng.integers(2, 5, 2)  # Four pixels at least, and four tags at most.
    maps = rng.choice([0, 0.5, 1], (len(labels), height, width)).astype(np.float32)
    mask = rng.choice([0, VOID, *labels], (height, width)).astype(np.uint8)
    restored = restore_vanished_tags(mask, maps, labels)
    present = set(np.unique(restored.mask).tolist())
    assert set(labels.tolist()) <= present <= {0, VOID, *labels.tolist()}
    assert set(restored.labels) == set(labels.tolist()) - set(np.unique(mask).tolist())
    untouched = ~np.isin(restored.mask, restored.labels)
    np.testing.assert_array_equal(restored.mask[untouched], mask[untouched])


def test_nothing_changes_where_nothing_vanished():
    mask = np.array([[5, 0]], dtype=np.uint8)
    restored = restore_vanished_tags(
        mask, np.ones((1, 1, 2), dtype=np.float32), np.array([5], dtype=np.uint16)
    )
    assert restored.mask is mask
    assert restored.labels == ()
