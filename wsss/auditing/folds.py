"""Folds of images that keep near-duplicates together."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Int64


def groups_of(num_images: int, pairs: Iterable[tuple[int, int]]) -> Int64[np.ndarray, " n"]:
    """A number of each image's group: images that a chain of pairs joins share one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked = np.array([*pairs], dtype=np.int64).reshape(-1, 2)
    shape = (num_images, num_images)
    graph = coo_array((np.ones(len(linked)), (linked[:, 0], linked[:, 1])), shape=shape)
    _, found = connected_components(graph, directed=False)
    groups: Int64[np.ndarray, " n"] = found.astype(np.int64)
    return groups


def folds_of(groups: Int64[np.ndarray, " n"], num_folds: int, seed: int) -> Int64[np.ndarray, " n"]:
    """The fold 0…k-1 of each image: groups in random order, each into the smallest fold so far.

    Args:
        groups: number of each image's group, which is never divided.
        num_folds: k.
        seed: of the order.
    """
    names, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # large ones first, for equal folds
    filled = np.zeros(num_folds, dtype=np.int64)
    fold = np.zeros(len(names), dtype=np.int64)
    for group in order:
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    return fold[members]
