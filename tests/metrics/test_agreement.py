import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import jaccard_score

from wsss.metrics.agreement import label_agreement, pixel_entropy

RNG = np.random.default_rng(3)


def test_agreement_is_the_mean_iou_of_scikit_learn():
    first, second = RNG.choice([0, 2, 5], (2, 24, 30)).astype(np.uint8)
    expected = jaccard_score(first.ravel(), second.ravel(), average="macro")
    assert label_agreement(first, second, (2, 5)) == pytest.approx(expected)


def test_equal_masks_agree_and_void_has_no_opinion():
    mask = RNG.choice([0, 1, 3], (8, 9)).astype(np.uint8)
    assert label_agreement(mask, mask, (1, 3)) == 1
    unsure = np.where(RNG.random(mask.shape) < 0.4, 255, mask).astype(np.uint8)
    assert label_agreement(mask, unsure, (1, 3)) == 1
    assert label_agreement(unsure, mask, (1, 3)) == 1


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], 1 / 3),  # The image is known to show both tags.
        ([1, 1, 2, 2], [1, 1, 2, 2], 1),  # Where neither shows background, it does not count.
        ([0, 1, 1, 2], [0, 0, 1, 2], (1 / 2 + 1 / 2 + 1) / 3),
        ([255, 255, 255, 255], [0, 1, 1, 2], 0),
    ],
)
def test_agreement_by_hand(first, second, expected):
    masks = (np.array([mask], dtype=np.uint8) for mask in (first, second))
    assert label_agreement(*masks, (1, 2)) == pytest.approx(expected)


def test_entropy_is_that_of_scipy():
    maps = RNG.random((3, 5, 7)).astype(np.float16)
    scores = np.concatenate([np.full((1, 5, 7), 0.3), maps])
    expected = entropy(scores, base=4, axis=0).mean()
    assert pixel_entropy(maps, 0.3) == pytest.approx(expected)


def test_entropy_is_one_where_all_scores_are_equal_and_none_where_there_is_background_alone():
    assert pixel_entropy(np.full((2, 4, 4), 0.25), 0.25) == pytest.approx(1)
    assert pixel_entropy(np.zeros((2, 4, 4)), 0.25) == 0
