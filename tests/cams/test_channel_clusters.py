"""Clusters of channels; `test_cluster_cam.py` has the maps that are made of them."""

import numpy as np
import pytest
import torch

from wsss.cams.cluster_cam.channel_clusters import cluster_channels, cluster_means, elbow

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def features_with_groups(groups=3, members=5, size=(6, 7)):
    generator = torch.Generator().manual_seed(4)
    prototypes = torch.rand(groups, *size, dtype=torch.float64, generator=generator) ** 4
    noise = torch.rand(groups * members, *size, dtype=torch.float64, generator=generator)
    return prototypes.repeat_interleave(members, 0) + 0.02 * noise


@pytest.mark.parametrize("algorithm", ["kmeans", "spectral"])
def test_channels_of_one_prototype_form_a_cluster(algorithm):
    features = features_with_groups()
    labels = cluster_channels(features, 3, "shape", algorithm, 0)
    groups = labels.unflatten(0, (3, 5))
    assert (groups == groups[:, :1]).all()
    assert sorted(groups[:, 0].tolist()) == [0, 1, 2]
    means = cluster_means(features, labels)
    for group, label in enumerate(groups[:, 0]):
        expected = features[5 * group : 5 * group + 5].mean(dim=0)
        torch.testing.assert_close(means[label], expected, **CLOSE)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_shape_does_not_depend_on_a_channels_scale(scale):
    features = features_with_groups() * scale ** torch.linspace(0, 1, 15).view(-1, 1, 1).double()
    labels = cluster_channels(features, 3, "shape", "kmeans", 0).unflatten(0, (3, 5))
    assert (labels == labels[:, :1]).all()


def test_dead_channels_are_left_out():
    features = features_with_groups()
    features[[2, 7]] = 0
    labels = cluster_channels(features, 3, "shape", "kmeans", 0)
    assert labels[[2, 7]].tolist() == [-1, -1]
    assert (labels.sort().values[2:] >= 0).all()
    mean = features[[0, 1, 3, 4]].mean(dim=0)
    torch.testing.assert_close(cluster_means(features, labels)[labels[0]], mean, **CLOSE)


def test_the_elbow_is_at_the_number_of_groups():
    rows = features_with_groups(groups=6, members=20).flatten(1).numpy()
    assert elbow(rows, np.ones(len(rows), dtype=np.int64), 0) == 6


def test_another_seed_may_find_other_clusters_and_the_same_does_not():
    features = torch.rand(40, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    first, again, other = (cluster_channels(features, 6, "raw", "kmeans", s) for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
