"""Boundary IoU: how well masks agree near their outlines, where large objects hide their errors.

Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL
from wsss.metrics.overlaps import Overlaps

WIDTH_OF_DIAGONAL = 0.02
"""Width of what counts as boundary, as a fraction of the image's diagonal: the authors' choice."""


def boundary_width_px(size: tuple[int, int]) -> int:
    """Width d in pixels for masks of `size` (height, width): at least one."""
    return max(1, round(WIDTH_OF_DIAGONAL * math.hypot(*size)))


def boundary(labels: UInt8[np.ndarray, "h w"], width_px: int) -> Bool[np.ndarray, "h w"]:
    """Whether a pixel of a label mask is nearer than `width_px` to the end of its region.

    What the authors' code leaves of a region's mask after eroding it `width_px` times by 3 × 3
    pixels, with zeros around the image: here of all labels at once, since a pixel survives where
    the window around it holds one label alone.
    """
    window = np.ones((2 * width_px + 1,) * 2, dtype=np.uint8)
    near: Bool[np.ndarray, "h w"] = cv2.erode(labels, window) != cv2.dilate(labels, window)
    near[:width_px] = near[-width_px:] = True
    near[:, :width_px] = near[:, -width_px:] = True
    return near


def boundary_overlaps(
    prediction: UInt8[np.ndarray, "h w"], target: UInt8[np.ndarray, "h w"], num_classes: int
) -> Overlaps:
    """The overlaps of both masks' boundaries, `|G_d ∩ P_d|`, `|P_d|` and `|G_d|` of each label.

    Summed over images their mean IoU is the boundary IoU of a data set, over the labels that are
    present, as the mean IoU is. Pixels with a void target belong to no region, in the prediction
    neither: where an outline is drawn as a void band, any outline within the band is right.

    Args:
        prediction: 0 background, 1…C classes, 255 void, which counts as background.
        target: 0 background, 1…C classes, 255 void.
        num_classes: C.

    Raises:
        ValueError: the masks differ in shape.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ in shape")
    void = target == VOID_LABEL
    prediction = np.where(prediction == VOID_LABEL, np.uint8(BACKGROUND_LABEL), prediction)
    prediction = np.where(void, np.uint8(VOID_LABEL), prediction)
    width_px = boundary_width_px((target.shape[0], target.shape[1]))
    predicted, true = (boundary(one, width_px) & ~void for one in (prediction, target))
    both = predicted & true & (prediction == target)
    counts = (
        np.bincount(mask[where], minlength=num_classes + 1)
        for mask, where in ((target, both), (prediction, predicted), (target, true))
    )
    return np.stack([*counts], axis=1).astype(np.int64)
