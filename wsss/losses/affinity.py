"""Losses of inter-pixel relations (Ahn, Cho and Kwak, CVPR 2019)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL

EPSILON = 1e-5
"""Keeps logarithms finite, and means over no pairs 0."""

# Shape suffixes: B = batch, H, W = map, K = neighbours of a pixel.


class Relations(NamedTuple):
    """The kind of each pair of a pixel and one of its neighbours, as masks."""

    foreground: Bool[Tensor, "b k h w"]
    """Both have the label of one class."""
    background: Bool[Tensor, "b k h w"]
    """Both are background."""
    different: Bool[Tensor, "b k h w"]
    """Their labels differ."""


def relations(
    labels: Integer[Tensor, "b h w"], neighbours: Integer[Tensor, "b k h w"]
) -> Relations:
    """Pairs of the same class, of background, and of different labels; void pixels have no pairs.

    Args:
        labels: 0 background, 1…C classes, 255 void.
        neighbours: label of each neighbour of every pixel; void outside the map.
    """
    one = labels[:, None]
    known = (one != VOID_LABEL) & (neighbours != VOID_LABEL)
    same = known & (one == neighbours)
    is_background = one == BACKGROUND_LABEL
    return Relations(same & ~is_background, same & is_background, known & (one != neighbours))


def count_pairs(pairs: Relations) -> Float[Tensor, "3"]:
    """Number of pairs of each kind."""
    return torch.stack([kind.sum() for kind in pairs]).float()


def affinity_loss(
    affinity: Float[Tensor, "b k h w"], pairs: Relations, counts: Float[Tensor, "3"]
) -> Float[Tensor, ""]:
    """Cross-entropy of affinities of pairs: `(fg + bg) / 4 + different / 2`, each term a mean.

    Args:
        affinity: of every pixel and its neighbours, in [0, 1].
        pairs: the kind of each pair.
        counts: denominators of the means: `count_pairs` averaged over processes, so that gradients
            averaged over processes are those of the mean over all pairs.
    """
    together = -torch.log(affinity + EPSILON)
    apart = -torch.log(1 + EPSILON - affinity)
    foreground = _mean(together, pairs.foreground, counts[0])
    background = _mean(together, pairs.background, counts[1])
    return (foreground + background) / 4 + _mean(apart, pairs.different, counts[2]) / 2


def displacement_loss(
    difference: Float[Tensor, "b k 2 h w"],
    offsets: Float[Tensor, "k 2"],
    pairs: Relations,
    counts: Float[Tensor, "3"],
) -> Float[Tensor, ""]:
    """L1 distance of displacement differences from their targets.

    Pixels of an object point to one centre, so that their displacements differ by their offset; in
    the background all displacements are equal.

    Args:
        difference: displacement of every pixel minus that of its neighbour, (rows, columns).
        offsets: of each neighbour, (rows, columns).
        pairs: the kind of each pair.
        counts: pairs of each kind, as for `affinity_loss`.

    Returns:
        `(fg + bg) / 2`, means over pairs and both coordinates.
    """
    target = offsets[:, :, None, None]
    foreground = (difference - target).abs().mean(dim=2)
    background = difference.abs().mean(dim=2)
    in_objects = _mean(foreground, pairs.foreground, counts[0])
    return (in_objects + _mean(background, pairs.background, counts[1])) / 2


def _mean(values: Tensor, chosen: Tensor, count: Tensor) -> Tensor:
    """Sum of the chosen values over `count`; 0 where none is."""
    return torch.where(chosen, values, 0).sum() / (count + EPSILON)
