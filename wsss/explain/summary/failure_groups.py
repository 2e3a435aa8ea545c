"""Groups of failures with like evidence, by hierarchical clustering of features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

Features = Float[np.ndarray, "n k"]

SMALLEST = 3
"""Images of a group at least: fewer are single failures."""
MOST_GROUPS = 64
"""Numbers of groups that are tried go up to it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Failures with like evidence."""

    members: tuple[int, ...]
    """Positions of the failures, the most wrong first."""
    num_images: int
    wrongness: float
    """Mean over the failures."""

    @property
    def weight(self) -> float:
        """What groups are sorted by: images × wrongness."""
        return self.num_images * self.wrongness


def failure_groups(
    features: Features,
    centre: Float[np.ndarray, " k"],
    images: Sequence[str],
    wrongness: Sequence[float],
    smallest: int = SMALLEST,
) -> list[Group]:
    """Failures grouped by their features: those that matter most first.

    Average linkage (Sokal and Michener 1958) on cosine distances of the features less `centre`,
    which is what all images have in common. The tree is cut where the failures fit their groups
    best: at the number of groups with the largest sum of silhouettes (Rousseeuw 1987), in which
    groups of fewer than `smallest` images count 0. Where no cut is above 0 all are one group. No
    label has a part in it.

    Args:
        features: of each failure's evidence.
        centre: mean features of all images.
        images: the image of each failure.
        wrongness: of each failure, in [0, 1].
        smallest: images of a group at least; failures of smaller ones are in no group.
    """
    if len(images) < smallest:
        return []
    labels = _cut(cosine_distances(features - centre), images, smallest)
    groups = []
    for label in np.unique(labels):
        members = [int(one) for one in np.flatnonzero(labels == label)]
        count = len({images[one] for one in members})
        if count >= smallest:
            members.sort(key=lambda one: (-wrongness[one], images[one], one))
            mean = float(np.mean([wrongness[one] for one in members]))
            groups.append(Group(tuple(members), count, mean))
    return sorted(groups, key=lambda one: (-one.weight, one.members))


def cosine_distances(vectors: Features) -> Float[np.ndarray, "n n"]:
    """1 - cosine of each pair, in [0, 2] and symmetric; a vector of zeros is at 1 from all others.

    In float64.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    distances = np.clip(1 - unit @ unit.T, 0, 2)
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0)
    return distances


def _cut(
    distances: Float[np.ndarray, "n n"], images: Sequence[str], smallest: int
) -> Int64[np.ndarray, " n"]:
    """The group of each failure, of the best cut."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics import silhouette_samples

    tree = linkage(squareform(distances, checks=False), method="average")
    count = len(distances)
    best, most = np.ones(count, dtype=np.int64), 0.0
    tried = {1}
    for wanted in range(2, min(count - 1, MOST_GROUPS) + 1):
        labels = fcluster(tree, wanted, criterion="maxclust").astype(np.int64)
        if (found := len(np.unique(labels))) in tried or found >= count:
            continue  # Of equal heights no cut is between them.
        tried.add(found)
        fits = silhouette_samples(distances, labels, metric="precomputed")
        total = float(fits[_in_large(labels, images, smallest)].sum())
        if total > most:
            best, most = labels, total
    return best


def _in_large(labels: Int64[np.ndarray, " n"], images: Sequence[str], smallest: int) -> list[int]:
    """The failures in groups of enough images."""
    of_group: dict[int, set[str]] = {}
    for label, image in zip(labels.tolist(), images, strict=True):
        of_group.setdefault(label, set()).add(image)
    return [
        position
        for position, label in enumerate(labels.tolist())
        if len(of_group[label]) >= smallest
    ]
