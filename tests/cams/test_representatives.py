import numpy as np
import pytest

from wsss.cams.meng.representatives import (
    agglomerative,
    class_descriptors,
    group_classes,
    kmeans,
    opponents,
    pairs_of,
)


@pytest.fixture
def descriptors():
    """Eight classes in three clear clusters of 3, 3 and 2 classes, of length 1."""
    centres = np.eye(5)[[0, 0, 0, 1, 1, 1, 2, 2]]
    rows = centres + 0.1 * np.random.default_rng(0).normal(size=(8, 5))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_descriptors_are_means_of_images_of_one_class_where_there_are_enough():
    features = np.array([[3.0, 0.0], [0.0, 4.0], [1.0, 1.0], [0.0, 2.0]])
    tags = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)
    found = class_descriptors(features, tags, min_single_label_images=2)
    # Class 0 has two images of its own, class 1 only one, and so takes both; class 2 has none.
    for row, mean in ((found[0], [1.5, 1.0]), (found[1], [0.5, 2.5])):
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), rtol=1e-12)
    assert (found[2] == 0).all()
    everything = class_descriptors(features, tags, min_single_label_images=3)
    mean = np.array([4 / 3, 1.0])
    np.testing.assert_allclose(everything[0], mean / np.linalg.norm(mean), rtol=1e-12)


@pytest.mark.parametrize("grouping", [kmeans, agglomerative])
def test_a_representative_is_the_member_nearest_its_group_s_centroid(descriptors, grouping):
    groups = group_classes(descriptors, 3, grouping)
    assert {frozenset(group) for group in groups} == {
        frozenset({0, 1, 2}),
        frozenset({3, 4, 5}),
        frozenset({6, 7}),
    }
    for group in groups:
        members = descriptors[list(group)]
        distances = np.linalg.norm(members - members.mean(axis=0), axis=1)
        # Not argmin: two members are equally near, but for rounding.
        np.testing.assert_allclose(distances[0], distances.min(), rtol=1e-12)
        np.testing.assert_allclose(distances, np.sort(distances), rtol=1e-12)


@pytest.mark.parametrize("number", range(1, 9))
def test_representatives_are_members_of_as_many_groups(descriptors, number):
    groups = group_classes(descriptors, number, kmeans)
    assert len(groups) == number
    assert sorted(member for group in groups for member in group) == list(range(8))


@pytest.mark.parametrize("grouping", [kmeans, agglomerative])
def test_the_order_of_the_classes_has_no_say(descriptors, grouping):
    order = np.random.default_rng(1).permutation(8)
    for number in (2, 3, 4):
        groups = group_classes(descriptors, number, grouping)
        permuted = group_classes(descriptors[order], number, grouping)
        back = {tuple(int(order[member]) for member in group) for group in permuted}
        assert back == set(groups)


def test_the_default_number_is_the_root_of_the_number_of_classes():
    for classes, number in ((20, 4), (80, 9)):
        rows = np.random.default_rng(0).normal(size=(classes, 6))
        assert len(group_classes(rows, None, kmeans)) == number


def test_classes_without_images_represent_nothing(descriptors):
    descriptors[4] = 0
    groups = group_classes(descriptors, 8, kmeans)
    assert sorted(group[0] for group in groups) == [0, 1, 2, 3, 5, 6, 7]
    assert group_classes(np.zeros((3, 2)), 2, kmeans) == ()


def test_classes_that_look_alike_share_a_group(descriptors):
    descriptors[1] = descriptors[0]
    assert len(group_classes(descriptors, 8, kmeans)) == 7


GROUPS = ((1, 0, 2), (3,), (5, 4))


def test_opponents_are_the_representatives_and_a_runner_up():
    assert list(opponents(GROUPS, 0)) == [1, 3, 5]
    assert list(opponents(GROUPS, 1)) == [0, 3, 5]
    assert list(opponents(GROUPS, 1, replace_self=False)) == [3, 5]
    assert list(opponents(GROUPS, 3)) == [1, 5]  # Alone in its group.


def test_one_representative_is_everyone_s_opponent(descriptors):
    groups = group_classes(descriptors, 1, kmeans)
    (first, second, *_) = groups[0]
    assert [list(opponents(groups, target)) for target in range(8)] == [
        [second if target == first else first] for target in range(8)
    ]


def test_with_every_class_a_representative_all_others_are_opponents(descriptors):
    groups = group_classes(descriptors, 8, kmeans)
    assert set(pairs_of(groups, range(8))) == {
        (one, other) for one in range(8) for other in range(8) if one != other
    }
