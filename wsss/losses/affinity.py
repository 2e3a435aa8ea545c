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
    """Which pairs of pixels belong together, for every pixel and each of its neighbours."""

    foreground: Bool[Tensor, "b k h w"]
    """Both have the label of one class."""
    background: Bool[Tensor, "b k h w"]
    """Both are background."""
    different: Bool[Tensor, "b k h w"]
    """Their labels differ."""


def relations(
    labels: Integer[Tensor, "b h w"], neighbours: Integer[Tensor, "b k h w"]
) -> Relations:
    """What the labels of pixels say of pairs; a pair with a void pixel is in none of the three.

    Args:
        labels: 0 background, 1…C classes, 255 void.
        neighbours: label of each neighbour of every pixel; void outside the map.
    """
    one = labels[:, None]
    known = (one != VOID_LABEL) & (neighbours != VOID_LABEL)
    same = known & (one == neighbours)
    is_background = one == BACKGROUND_LABEL
    return Relations(same & ~is_background, same & is_background, known & (one != neighbours))


def affinity_loss(affinity: Float[Tensor, "b k h w"], pairs: Relations) -> Float[Tensor, ""]:
    """Cross-entropy of affinities of pairs: `(fg + bg) / 4 + different / 2`, each term a mean.

    Args:
        affinity: of every pixel and its neighbours, in [0, 1].
        pairs: what belongs together.
    """
    together = -torch.log(affinity + EPSILON)
    apart = -torch.log(1 + EPSILON - affinity)
    foreground, background = (_mean(together, kind) for kind in pairs[:2])
    return (foreground + background) / 4 + _mean(apart, pairs.different) / 2


def displacement_loss(
    difference: Float[Tensor, "b k 2 h w"],
    offsets: Float[Tensor, "k 2"],
    pairs: Relations,
) -> Float[Tensor, ""]:
    """Distance of displacement differences from what they should be.

    Two pixels of an object point to one centre, which makes their displacements differ by where
    they are; in the background all displacements are alike.

    Args:
        difference: displacement of every pixel minus that of its neighbour, (rows, columns).
        offsets: where each neighbour is, (rows, columns).
        pairs: what belongs together.

    Returns:
        `(fg + bg) / 2`, means over pairs and both coordinates.
    """
    target = offsets[:, :, None, None]
    foreground = (difference - target).abs().mean(dim=2)
    background = difference.abs().mean(dim=2)
    return (_mean(foreground, pairs.foreground) + _mean(background, pairs.background)) / 2


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values; 0 where none is."""
    return torch.where(chosen, values, 0).sum() / (chosen.sum() + EPSILON)
