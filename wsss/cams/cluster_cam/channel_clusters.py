"""Clusters of channels with similar feature maps."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

RESTARTS = 10
"""Restarts of k-means, of which the lowest inertia is kept."""
FEWEST_CLUSTERS = 3
"""First number of clusters in the search for the elbow."""
MAX_SEED = 2**32 - 1
"""The largest seed that scikit-learn takes."""

Rows = NDArray[np.floating]


def cluster_channels(
    features: Float[Tensor, "k h w"],
    num_clusters: int | Literal["elbow"],
    feature: Literal["shape", "raw"],
    algorithm: Literal["kmeans", "spectral"],
    seed: int,
) -> Int64[Tensor, " k"]:
    """Cluster 0…G-1 of every channel by its feature map; -1 for channels that are zero.

    The order of the channels does not matter, and equal channels count as often as they occur.

    Args:
        features: one image's feature maps.
        num_clusters: G, fewer if there are fewer different maps; or `elbow`, see `elbow`.
        feature: `shape` compares maps of unit length, `raw` compares them as they are.
        algorithm: k-means, or k-means of the spectral embedding of cosine similarities.
        seed: of the clustering.
    """
    rows = features.flatten(1).detach().cpu()
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    alive = (rows != 0).any(dim=1)
    labels = torch.full((len(rows),), -1)
    if not alive.any():
        return labels.to(features.device)
    rows = rows[alive]
    if feature == "shape":
        rows = rows / rows.norm(dim=1, keepdim=True)
    # Sorted and without repeats: the seeded search begins at the same maps for any order.
    different, position, counts = np.unique(
        rows.numpy(), axis=0, return_inverse=True, return_counts=True
    )
    if num_clusters == "elbow":
        num_clusters = elbow(different, counts, seed)
    if num_clusters >= len(different):
        clusters = np.arange(len(different))
    else:
        if algorithm == "spectral":
            different = spectral_embedding(different, counts, num_clusters)
        clusters = _k_means(different, counts, num_clusters, seed, RESTARTS).labels_
    labels[alive] = torch.from_numpy(clusters[position.ravel()].astype(np.int64))
    return labels.to(features.device)


def cluster_means(
    features: Float[Tensor, "k h w"], labels: Int64[Tensor, " k"]
) -> Float[Tensor, "g h w"]:
    """Mean feature map of each cluster, `C_g = mean_{k∈g} A_k`; label -1 is left out."""
    clusters = torch.arange(int(labels.max()) + 1, device=labels.device)
    members = (labels[:, None] == clusters).to(features.dtype)
    sums = torch.einsum("kg,khw->ghw", members, features)
    return sums / members.sum(dim=0)[:, None, None]


def elbow(rows: Rows, counts: NDArray[np.integer], seed: int) -> int:
    """Number of clusters at the elbow of the curve of inertia over numbers.

    Of 3…√K clusters, the number whose inertia lies farthest below the straight line between the
    curve's ends, both axes from 0 to 1. One start of k-means for each number.
    """
    most = round(float(np.sqrt(counts.sum())))
    numbers = np.arange(FEWEST_CLUSTERS, min(most, len(rows)) + 1)
    if len(numbers) < 3:
        return min(FEWEST_CLUSTERS, len(rows))
    inertia = np.array([_k_means(rows, counts, int(n), seed, 1).inertia_ for n in numbers])
    fall = inertia[0] - inertia[-1]
    if fall <= 0:
        return FEWEST_CLUSTERS
    depth = 1 - (numbers - numbers[0]) / (numbers[-1] - numbers[0]) - (inertia - inertia[-1]) / fall
    return int(numbers[depth.argmax()])


def spectral_embedding(rows: Rows, counts: NDArray[np.integer], size: int) -> Rows:
    """Coordinates in which similar rows lie together (Ng, Jordan and Weiss 2002).

    The first `size` eigenvectors of `D^-½ S D^-½`, `S` the rows' cosines above 0, normalised for
    each row. A row that occurs `counts` times weighs as much as so many rows.
    """
    import scipy.linalg  # Here, because it takes long, and the default does without.

    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = np.maximum(units @ units.T, 0)
    degree = similarity @ counts
    scale = np.sqrt(counts / degree)
    matrix = scale[:, None] * similarity * scale
    _, vectors = scipy.linalg.eigh(matrix, subset_by_index=(len(rows) - size, len(rows) - 1))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _k_means(
    rows: Rows, counts: NDArray[np.integer], num_clusters: int, seed: int, restarts: int
) -> "KMeans":
    """Seeded k-means++ of rows that occur `counts` times."""
    from sklearn.cluster import KMeans  # Here, because it takes seconds.

    search = KMeans(num_clusters, n_init=restarts, random_state=seed)
    return search.fit(rows, sample_weight=counts)
