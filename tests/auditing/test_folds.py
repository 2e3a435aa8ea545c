"""Folds of images that keep near-duplicates together."""

import numpy as np

from wsss.auditing.folds import folds_of, groups_of


def test_a_chain_of_pairs_is_one_group():
    groups = groups_of(6, [(0, 3), (3, 5), (1, 2)])
    assert groups[0] == groups[3] == groups[5]
    assert groups[1] == groups[2]
    assert len({*groups.tolist()}) == 3


def test_images_without_pairs_are_groups_of_their_own():
    assert sorted(groups_of(4, [])) == [0, 1, 2, 3]


def test_no_group_is_divided_and_folds_are_equal():
    groups = groups_of(101, [(0, 1), (1, 2), (50, 60), (7, 99)])
    folds = folds_of(groups, 5, seed=3)
    for group in np.unique(groups):
        assert len({*folds[groups == group].tolist()}) == 1
    sizes = np.bincount(folds, minlength=5)
    assert sizes.sum() == 101
    assert sizes.max() - sizes.min() <= 1


def test_the_seed_alone_draws_the_folds():
    groups = np.arange(40)
    first, again, other = (folds_of(groups, 4, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
