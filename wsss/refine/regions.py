"""Post-processing of masks: small regions become void, vanished tags get pixels back."""

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

    Regions are 8-connected, background ones included. They become void rather than the surrounding
    label, since either may be wrong.

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
        is_small[0] = False  # Region 0 are the pixels of other labels.
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
    """Give each tag without a pixel those where its map is strongest.

    These are background and void pixels whose map reaches 0.9 of its maximum. Without any, or for a
    map of zeros, it is the one strongest pixel of background and void; in an image covered by other
    classes, the strongest pixel of a class that has more than one.

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
    """The pixels that a vanished tag gets, as described in `restore_vanished_tags`."""
    free = (mask == BACKGROUND_LABEL) | (mask == VOID_LABEL)
    peak = own_map.max(initial=0)
    strongest: Bool[np.ndarray, "h w"] = free & (own_map >= TOP_FRACTION * peak)
    if peak > 0 and strongest.any():
        return strongest
    candidates = free if free.any() else np.bincount(mask.ravel(), minlength=256)[mask] > 1
    chosen = np.zeros(mask.shape, dtype=bool)
    if candidates.any():
        chosen.flat[np.where(candidates, own_map, -1).argmax()] = True
    return chosen
