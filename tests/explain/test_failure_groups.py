"""Groups of failures, planted and compared with another implementation."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from wsss.explain.summary.failure_groups import cosine_distances, failure_groups


def planted(sizes, seed=0, noise=0.15, num_features=24):
    """Features around orthogonal directions, and which of them each is around."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    features = np.eye(num_features)[of] + noise * rng.normal(size=(len(of), num_features))
    order = rng.permutation(len(of))
    return 5 + 3 * features[order], of[order]


CENTRE = np.full(24, 5.0)
"""What all of them have in common, and images without failures have alone."""


@pytest.mark.parametrize("sizes", [(5, 8), (4, 4, 9), (12, 3, 7, 6)])
def test_planted_groups_are_found(sizes):
    features, of = planted(sizes)
    images = [f"image{number}" for number in range(len(of))]
    groups = failure_groups(features, CENTRE, images, np.ones(len(of)))
    assert [group.num_images for group in groups] == sorted(sizes, reverse=True)
    for group in groups:
        assert len({of[one] for one in group.members}) == 1


def test_another_implementation_cuts_there_as_well():
    """Of all cuts of scikit-learn's tree the one of the largest silhouette, all groups large."""
    features, _ = planted((6, 9, 7), seed=3, noise=0.4)
    distances = squareform(pdist(features - CENTRE, "cosine"))
    cuts = [
        AgglomerativeClustering(n, metric="precomputed", linkage="average").fit_predict(distances)
        for n in range(2, 9)
    ]
    best = max(cuts, key=lambda one: silhouette_score(distances, one, metric="precomputed"))
    assert min(np.bincount(best)) >= 3
    images = [str(number) for number in range(len(features))]
    groups = failure_groups(features, CENTRE, images, np.ones(len(features)))
    labels = np.zeros(len(features), dtype=int)
    for number, group in enumerate(groups):
        labels[list(group.members)] = number
    assert adjusted_rand_score(best, labels) == 1


def test_small_groups_are_left_out_and_images_counted_once():
    features, of = planted((6, 2, 6))
    images = [f"image{number}" for number in range(len(of))]
    for position in np.flatnonzero(of == 2)[:4]:
        images[position] = "the same"
    groups = failure_groups(features, CENTRE, images, np.ones(len(of)))
    assert [(group.num_images, len(group.members)) for group in groups] == [(6, 6), (3, 6)]


def test_groups_are_sorted_by_images_times_wrongness_and_members_by_wrongness():
    features, of = planted((4, 5))
    wrongness = np.where(of == 0, 0.9, 0.5) + 0.01 * np.arange(len(of))
    images = [f"image{number}" for number in range(len(of))]
    groups = failure_groups(features, CENTRE, images, wrongness)
    assert [group.num_images for group in groups] == [4, 5]
    for group in groups:
        own = [wrongness[one] for one in group.members]
        assert own == sorted(own, reverse=True)
        assert group.wrongness == pytest.approx(np.mean(own))


def test_like_failures_are_one_group_and_few_are_none():
    features = np.tile(CENTRE + np.arange(24), (5, 1))
    (group,) = failure_groups(features, CENTRE, list("abcde"), np.ones(5))
    assert sorted(group.members) == [0, 1, 2, 3, 4]
    assert failure_groups(features[:2], CENTRE, list("ab"), np.ones(2)) == []


def test_the_order_of_failures_does_not_matter():
    features, of = planted((5, 6, 4), noise=0.3)
    wrongness = np.linspace(0.5, 1, len(of))
    images = np.array([f"image{number:02d}" for number in range(len(of))])
    turned = np.arange(len(of))[::-1]
    ones = failure_groups(features, CENTRE, images.tolist(), wrongness)
    others = failure_groups(features[turned], CENTRE, images[turned].tolist(), wrongness[turned])
    assert [[images[one] for one in group.members] for group in ones] == [
        [images[turned][one] for one in group.members] for group in others
    ]


def test_distances_are_one_minus_the_cosine():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 5))
    found = cosine_distances(vectors)
    np.testing.assert_allclose(found, squareform(pdist(vectors, "cosine")), atol=1e-12)
    vectors[2] = 0
    np.testing.assert_array_equal(np.delete(cosine_distances(vectors)[2], 2), 1)
