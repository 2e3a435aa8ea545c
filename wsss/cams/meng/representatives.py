"""Representative classes, the opponents of every class (Meng et al.).

A reconstruction from the published abstract, which says that representatives come of clustering the
classes: descriptors, algorithm and number are ours.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int64

# Shape suffixes: n = images, c = classes, k = feature channels.

Grouping = Callable[[Float[np.ndarray, "c k"], int], Int64[np.ndarray, " c"]]
"""Puts descriptors into a number of groups: the group of each row."""

Groups = tuple[tuple[int, ...], ...]
"""Classes 0…C-1 of every group, those nearest its centroid first."""


def class_descriptors(
    features: Float[np.ndarray, "n k"],
    tags: Bool[np.ndarray, "n c"],
    min_single_label_images: int = 20,
) -> Float[np.ndarray, "c k"]:
    """Descriptor of each class: the mean of its images' pooled features, scaled to length 1.

    Args:
        features: average-pooled features of each image.
        tags: whether an image has a class.
        min_single_label_images: a class with so many images of no other class is described by
            those alone.

    Returns:
        A row for each class; zeros for a class without an image.
    """
    single = tags & (tags.sum(axis=1) == 1)[:, None]
    enough = single.sum(axis=0) >= max(1, min_single_label_images)
    used = np.where(enough, single, tags).astype(np.float64)
    means = used.T @ features / used.sum(axis=0).clip(min=1)[:, None]
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    descriptors: Float[np.ndarray, "c k"] = means / np.where(lengths > 0, lengths, 1)
    return descriptors


def kmeans(
    descriptors: Float[np.ndarray, "c k"], num_groups: int, seed: int = 0
) -> Int64[np.ndarray, " c"]:
    """Groups by k-means, the best of ten starts."""
    from sklearn.cluster import KMeans  # Here, because it takes seconds.

    clustering = KMeans(num_groups, n_init=10, random_state=seed)
    return clustering.fit_predict(descriptors).astype(np.int64)  # type: ignore[no-any-return]


def agglomerative(
    descriptors: Float[np.ndarray, "c k"], num_groups: int
) -> Int64[np.ndarray, " c"]:
    """Groups by Ward's agglomeration."""
    from sklearn.cluster import AgglomerativeClustering

    clustering = AgglomerativeClustering(num_groups)
    return clustering.fit_predict(descriptors).astype(np.int64)  # type: ignore[no-any-return]


def group_classes(
    descriptors: Float[np.ndarray, "c k"], num_groups: int | None, grouping: Grouping
) -> Groups:
    """Group the classes; the first of each group is its representative.

    Descriptors are sorted first: the groups do not depend on the order of the classes. Classes
    without an image (a descriptor of zeros) are in no group.

    Args:
        descriptors: of each class, as `class_descriptors` makes them.
        num_groups: number of representatives R; the rounded root of the number of classes if None.
        grouping: the clustering.
    """
    described = np.flatnonzero(descriptors.any(axis=1))
    if not len(described):
        return ()
    order = described[np.lexsort(descriptors[described].T[::-1])]
    rows = descriptors[order]
    wanted = round(len(descriptors) ** 0.5) if num_groups is None else num_groups
    labels = grouping(rows, min(wanted, len(np.unique(rows, axis=0))))
    groups = []
    for label in np.unique(labels):
        members = rows[labels == label]
        distances = np.linalg.norm(members - members.mean(axis=0), axis=1)
        ranked = order[labels == label][np.argsort(distances, kind="stable")]
        groups.append(tuple(ranked.tolist()))
    return tuple(sorted(groups))


def opponents(groups: Groups, target: int, replace_self: bool = True) -> Iterator[int]:
    """The opponents of `target`: the representatives other than itself.

    Args:
        groups: as `group_classes` makes them.
        target: a class 0…C-1.
        replace_self: where the class is a representative itself, the runner-up of its group, if
            there is one, takes its place.
    """
    for group in groups:
        if group[0] != target:
            yield group[0]
        elif replace_self and len(group) > 1:
            yield group[1]


def pairs_of(
    groups: Groups, targets: Sequence[int], replace_self: bool = True
) -> list[tuple[int, int]]:
    """Every pair of a target and one of its opponents."""
    return [(one, other) for one in targets for other in opponents(groups, one, replace_self)]
