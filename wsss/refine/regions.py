"""Regions of a mask: none too small to be meant, and no tag left without any."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt16

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL

TOP_FRACTION = 0.9
"""A vanished tag gets the pixels whose map reaches this fraction of the map's maximum."""


def void_small_regions(
    mask: UInt8[np.ndarray, "h w"], min_region_px: int
) -> UInt8[np.ndarray, "h w"]:
    """Make connected regions of one label void if they have fewer than `min_region_px` pixels.

    Pixels are neighbours along edges and corners. Background counts like a class: a pinhole in an
    object is no surer than a speck beside it. Small regions become void, not the label around them:
    nothing says which of the two is right, and void teaches nothing wrong.

    Args:
        mask: 0 background, 1…C classes, 255 void.
        min_region_px: 0 and 1 change nothing.
    """
    if min_region_px <= 1:
        return mask
    kept = mask.copy()
    for label in np.unique(mask):
        if label == VOID_LABEL:
            continue
        of_label = (mask == label).astype(np.uint8)
        _, regions, statistics, _ = cv2.connectedComponentsWithStats(of_label, connectivity=8)
        is_small = statistics[:, cv2.CC_STAT_AREA] < min_region_px
        is_small[0] = False  # Region 0 is what does not have the label.
        kept[is_small[regions]] = VOID_LABEL
    return kept


@dataclass(frozen=True, slots=True)
class Restored:
    """A mask in which every tag has a pixel, and the tags that had none before."""

    mask: UInt8[np.ndarray, "h w"]
    labels: tuple[int, ...]


def restore_vanished_tags(
    mask: UInt8[np.ndarray, "h w"],
    maps: Float[np.ndarray, "n h w"],
    labels: UInt16[np.ndarray, " n"],
) -> Restored:
    """Give each tag that has no pixel those where its map is strongest.

    These are the pixels whose map reaches 0.9 of its maximum and that are background or void: no
    class loses pixels to another one. Where there are none of these, or the map is zero, it is the
    one strongest pixel among background and void; and where other classes hold the whole image, the
    strongest pixel of a class that has more than one.

    Args:
        mask: 0 background, 1…C classes, 255 void; not changed.
        maps: in [0, 1], of the mask's size.
        labels: mask values 1…C of the maps, all of which are in the result, provided that the mask
            has no other classes and at least as many pixels as there are labels.
    """
    vanished = [index for index, label in enumerate(labels) if not (mask == label).any()]
    if not vanished:
        return Restored(mask, ())
    mask = mask.copy()
    for index in vanished:
        mask[_own_pixels(mask, maps[index])] = labels[index]
    return Restored(mask, tuple(int(labels[index]) for index in vanished))


def _own_pixels(
    mask: UInt8[np.ndarray, "h w"], own_map: Float[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Where a vanished tag may be: its strongest pixels that are nobody's, or one of somebody's."""
    free = (mask == BACKGROUND_LABEL) | (mask == VOID_LABEL)
    peak = own_map.max(initial=0)
    strongest: Bool[np.ndarray, "h w"] = free & (own_map >= TOP_FRACTION * peak)
    if peak > 0 and strongest.any():
        return strongest
    candidates = free if free.any() else np.bincount(mask.ravel(), minlength=256)[mask] > 1
    return _strongest_of(own_map, candidates)


def _strongest_of(
    own_map: Float[np.ndarray, "h w"], candidates: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """The first of the strongest candidates; nothing where there is none."""
    chosen = np.zeros_like(candidates)
    if candidates.any():
        chosen.flat[np.where(candidates, own_map, -1).argmax()] = True
    return chosen
