import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.artifacts import Seeds
from wsss.refine import CrfRefinement, PydensecrfEngine, Threshold
from wsss.refine.pseudo_label import (
    crossing_alpha,
    label_mask,
    otsu_threshold,
    threshold_mask,
    upsample,
    with_background,
)

LABELS = np.array([2, 7], dtype=np.uint16)


def brute_force_otsu(levels):
    """The level after which variance between both sides is greatest."""
    best, best_level = -1.0, 0
    for level in range(255):
        low, high = levels[levels <= level], levels[levels > level]
        if low.size and high.size:
            variance = low.size * high.size * (low.mean() - high.mean()) ** 2
            if variance > best * (1 + 1e-12):
                best, best_level = variance, level
    return best_level


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_otsu_parts_an_image_like_brute_force(seed):
    rng = np.random.default_rng(seed)
    maps = np.concatenate([rng.normal(0.2, 0.05, 300), rng.normal(0.8, 0.05, 100)])
    maps = maps.clip(0, 1).astype(np.float32).reshape(1, 20, 20)
    levels = (maps * 255).astype(np.uint8)
    expected = levels > brute_force_otsu(levels)
    np.testing.assert_array_equal(levels > otsu_threshold(maps) * 255, expected)


@given(threshold=st.floats(0.05, 0.95))
def test_background_and_class_are_level_at_the_threshold(threshold):
    assert (1 - threshold) ** crossing_alpha(threshold) == pytest.approx(threshold)


def test_background_score_by_hand():
    maps = np.array([[[0.0, 0.5]], [[0.25, 0.1]]], dtype=np.float32)
    scores = with_background(maps, alpha=2)
    np.testing.assert_allclose(scores[0], [[0.75**2, 0.5**2]])
    np.testing.assert_array_equal(scores[1:], maps)


def test_labels_and_the_void_band_by_hand():
    scores = np.array([[[0.9, 0.4, 0.1]], [[0.1, 0.5, 0.1]], [[0.0, 0.1, 0.8]]])
    assert label_mask(scores, LABELS, 0.0).tolist() == [[0, 2, 7]]
    assert label_mask(scores, LABELS, 0.6).tolist() == [[0, 255, 7]]


def test_threshold_by_hand():
    maps = np.array([[[0.2, 0.5, 0.4]], [[0.1, 0.6, 0.3]]], dtype=np.float32)
    assert threshold_mask(maps, LABELS, 0.3).tolist() == [[0, 7, 2]]


def test_upsampling_aligns_pixel_centres():
    maps = np.array([[[0, 4]]], dtype=np.float16)
    np.testing.assert_allclose(upsample(maps, (1, 4)), [[[0, 1, 3, 4]]])
    assert upsample(maps[:0], (3, 5)).shape == (0, 3, 5)


def seeds_of(maps, size):
    labels = LABELS[: len(maps)]
    return Seeds(labels, np.asarray(maps, dtype=np.float16), size)


@pytest.mark.parametrize("method", [Threshold(0.3), CrfRefinement(PydensecrfEngine())])
def test_an_image_without_tags_is_background(method):
    image = np.zeros((8, 12, 3), dtype=np.uint8)
    mask = method(image, seeds_of(np.zeros((0, 2, 3)), (8, 12)))
    assert mask.dtype == np.uint8
    assert not mask.any()


def test_crf_snaps_a_coarse_seed_to_the_object():
    image = np.full((48, 64, 3), 40, dtype=np.uint8)
    image[10:38, 20:50] = (220, 60, 60)
    truth = (image[..., 0] > 100).astype(np.uint8) * 2
    rows, columns = np.mgrid[:12, :16]
    maps = np.exp(-((rows - 5) ** 2 + (columns - 8) ** 2) / 8)[None]
    seeds = seeds_of(maps, (48, 64))
    coarse = Threshold(0.3)(image, seeds)
    refined = CrfRefinement(PydensecrfEngine(bilateral_sxy_px=30))(image, seeds)
    known = refined != 255
    assert (coarse != truth).mean() > 0.1
    assert (refined != truth)[known].mean() < 0.01
    assert known.mean() > 0.95


def test_large_images_are_refined_at_reduced_size_and_come_back():
    image = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    maps = np.zeros((1, 75, 50))
    maps[0, 20:50, 10:40] = 1
    mask = CrfRefinement(PydensecrfEngine(), max_side_px=60)(image, seeds_of(maps, (300, 200)))
    assert mask.shape == (300, 200)
    assert set(np.unique(mask).tolist()) <= {0, 2, 255}
