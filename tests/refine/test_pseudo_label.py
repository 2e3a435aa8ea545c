import numpy as np
import pytest

from wsss.artifacts import Seeds
from wsss.errors import WsssError
from wsss.refine import (
    CrfRefinement,
    DenseCrfEngine,
    FixedThreshold,
    LevelBackground,
    Otsu,
    PowerBackground,
    PydensecrfEngine,
    Threshold,
)
from wsss.refine.pseudo_label import agreed, label_mask, threshold_mask, upsample

LABELS = np.array([2, 7], dtype=np.uint16)


def test_labels_and_the_void_band_by_hand():
    scores = np.array([[[0.9, 0.4, 0.1]], [[0.1, 0.5, 0.1]], [[0.0, 0.1, 0.8]]])
    assert label_mask(scores, LABELS, 0.0).tolist() == [[0, 2, 7]]
    assert label_mask(scores, LABELS, 0.6).tolist() == [[0, 255, 7]]


def test_what_two_masks_agree_on_by_hand():
    first, second = (np.array(row, dtype=np.uint8) for row in ([0, 2, 2, 255], [0, 2, 7, 255]))
    assert agreed(first, second).tolist() == [0, 2, 255, 255]


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


class Unary(DenseCrfEngine):
    """A CRF without neighbours: posteriors are the unaries'. Counts what it is asked for."""

    def __init__(self):
        super().__init__()
        self.solved = 0

    def _solve(self, image, unaries):
        self.solved += len(unaries)
        return [np.exp(-one) / np.exp(-one).sum(axis=0) for one in unaries]


@pytest.mark.parametrize("background", [LevelBackground(), PowerBackground()])
@pytest.mark.parametrize("rule", [FixedThreshold(0.3), Otsu()])
def test_without_neighbours_the_crf_is_the_threshold(background, rule):
    maps = np.random.default_rng(0).random((2, 6, 9)) * 0.98
    seeds = seeds_of(maps, (24, 36))
    image = np.zeros((24, 36, 3), dtype=np.uint8)
    crf = CrfRefinement(Unary(), rule, background)
    np.testing.assert_array_equal(crf(image, seeds), Threshold(rule)(image, seeds))


def test_pixels_between_both_thresholds_are_void():
    maps = np.array([[[0.1, 0.19, 0.21, 0.44, 0.46]]])
    image = np.zeros((1, 5, 3), dtype=np.uint8)
    engine = Unary()
    crf = CrfRefinement(engine, FixedThreshold(0.3), LevelBackground(), void_factor=1.5)
    assert crf(image, seeds_of(maps, (1, 5))).tolist() == [[0, 0, 255, 255, 2]]
    assert engine.solved == 2


def test_a_void_factor_of_one_is_no_band_and_solves_once():
    seeds = seeds_of(np.random.default_rng(0).random((1, 6, 9)), (6, 9))
    engine = Unary()
    mask = CrfRefinement(engine, FixedThreshold(0.97), void_factor=1)(
        np.zeros((6, 9, 3), dtype=np.uint8), seeds
    )
    assert engine.solved == 1
    assert 255 not in mask


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("void_factor", 0.5, "of 1 or more"),
        ("void_factor", float("nan"), "of 1 or more"),
        ("min_confidence", -0.1, "from 0 to 1"),
        ("min_confidence", 1.5, "from 0 to 1"),
        ("max_side_px", 0, "a whole number, 1 or more"),
    ],
)
def test_wrong_settings_are_named(name, value, expected):
    with pytest.raises(WsssError, match=f"^{name}={value}:.*{expected}"):
        CrfRefinement(Unary(), **{name: value})


@pytest.mark.parametrize("bg_threshold", [0, 1, -0.2, 3])
def test_a_wrong_threshold_is_named(bg_threshold):
    with pytest.raises(WsssError, match=f"^bg_threshold={bg_threshold}:.*between 0 and 1"):
        Threshold(bg_threshold)
