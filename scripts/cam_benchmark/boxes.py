"""Boxes around what a map marks, against true ones: MaxBoxAcc and MaxBoxAccV2.

Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torchmetrics import Metric

THRESHOLDS = np.arange(1000) / 1000
"""Fractions of a map's maximum at which its boxes are taken."""
DELTAS = (0.3, 0.5, 0.7)
"""Intersections over union from which a box counts as right."""
FIRST_DELTA = 0.5
"""That of MaxBoxAcc, the first of the two figures."""
ANY, LARGEST = 0, 1


def component_boxes(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "n 4"]:
    """Boxes of the connected parts of a mask: first column and row, last column and row.

    Pixels touching at a corner are connected. The part whose outline encloses the largest area
    comes first (OpenCV's contour area, through the centres of pixels, holes included); of equal
    ones the upper, then the left one.
    """
    contours, hierarchy = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    if not len(contours):
        return np.zeros((0, 4), dtype=np.int64)
    outer = [c for c, links in zip(contours, hierarchy[0], strict=True) if links[3] < 0]
    found = []
    for contour in outer:
        left, top, width, height = cv2.boundingRect(contour)
        box = (left, top, left + width - 1, top + height - 1)
        found.append((-cv2.contourArea(contour), top, left, box))
    return np.array([box for *_, box in sorted(found)], dtype=np.int64)


def box_iou(
    boxes: Int64[np.ndarray, "n 4"], others: Int64[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection over union of boxes whose last column and row belong to them."""
    first = np.maximum(boxes[:, None, :2], others[None, :, :2])
    last = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    intersection = (last - first + 1).clip(min=0).prod(axis=2)
    areas, other_areas = ((b[:, 2:] - b[:, :2] + 1).prod(axis=1) for b in (boxes, others))
    iou: Float[np.ndarray, "n m"] = intersection / (
        areas[:, None] + other_areas[None] - intersection
    )
    return iou


def quantise(maps: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """A map in [0, 1] in 8 bit, rounded down, as the authors' evaluation keeps it."""
    return (maps * 255).astype(np.uint8)


def best_ious(
    maps: Float[np.ndarray, "h w"],
    true_boxes: Int64[np.ndarray, "m 4"],
    thresholds: Float[np.ndarray, " t"] = THRESHOLDS,
) -> Float[np.ndarray, "t 2"]:
    """Best IoU of a map's boxes with any true box at every threshold.

    Args:
        maps: in [0, 1]; 8 bit of it are looked at.
        true_boxes: last column and row included.
        thresholds: fractions τ; a pixel is marked where it is strictly above `τ · max`.

    Returns:
        [t, 2]: over all boxes of the map, and of its largest part alone; 0 where nothing is marked.
    """
    levels = quantise(maps)
    # An 8-bit value is above a number just if it is above its integer part: few distinct cases.
    cuts = np.floor(thresholds * int(levels.max())).astype(np.int64)
    found = {}
    for cut in np.unique(cuts):
        boxes = component_boxes(levels > cut)
        iou = box_iou(boxes, true_boxes)
        found[cut] = (iou.max(initial=0), iou[:1].max(initial=0))
    return np.array([found[cut] for cut in cuts], dtype=np.float64)


def scale_boxes(
    boxes: Int64[np.ndarray, "n 4"], size: tuple[int, int], new_size: tuple[int, int]
) -> Int64[np.ndarray, "n 4"]:
    """Boxes of an image of `size` (height, width) in the image resized to `new_size`.

    A scaled box covers every pixel that the original touches.
    """
    factors = np.array([new_size[1] / size[1], new_size[0] / size[0]])
    first = np.floor(boxes[:, :2] * factors)
    # A hair less, lest a product such as 0.1 · 30 = 3.0000000000000004 add a column.
    end = np.ceil((boxes[:, 2:] + 1) * factors - 1e-9)
    return np.concatenate([first, end - 1], axis=1).astype(np.int64)


class MaxBoxAccuracy(Metric):
    """Fraction of maps whose box is right, at the best threshold: in [0, 1], higher is better.

    The threshold is chosen on the true boxes: an oracle's figure. The boxes are those the paper
    defines, the tightest ones around the connected parts of `{M > τ · max M}`. Beforehand, the
    authors resize maps and true boxes to 224 × 224 and stretch maps from their minimum to their
    maximum.

    Figures of their program (clovaai/wsolevaluation) differ a little, for it departs from that
    definition, and this metric does not:

    * outlines of holes count as parts, which only the best box of all parts can profit from;
    * a box reaches one column and one row beyond the last marked pixel, up to the last of the
      image, though its IoU counts the ends as inside: no map has an IoU of 1 with a box in the
      image's interior, and one of 100 × 100 pixels has 0.98;
    * both corners of a true box are rounded down when it is resized (see `scale_boxes`);
    * where nothing is marked, the box is the upper left pixel; here there is none.
    """

    full_state_update = False
    higher_is_better = True
    correct: Tensor
    images: Tensor

    def __init__(self, deltas: Sequence[float] = DELTAS) -> None:
        """Count for every IoU in `deltas`.

        Raises:
            ValueError: 0.5, the IoU of `max_box_acc`, is not among them.
        """
        super().__init__()
        if FIRST_DELTA not in deltas:
            raise ValueError(f"deltas={tuple(deltas)}: expected {FIRST_DELTA} among them")
        self.deltas = tuple(deltas)
        zeros = torch.zeros(len(THRESHOLDS), 2, len(self.deltas), dtype=torch.int64)
        self.add_state("correct", default=zeros, dist_reduce_fx="sum")
        self.add_state("images", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, maps: Float[Tensor, "n h w"], true_boxes: Sequence[Int64[np.ndarray, "m 4"]]
    ) -> None:
        """Count maps in [0, 1], each with the boxes of its class, last column and row included."""
        for one, boxes in zip(maps.cpu().numpy(), true_boxes, strict=True):
            right = best_ious(one, boxes)[:, :, None] >= np.array(self.deltas)
            self.correct += torch.from_numpy(right).to(self.correct)
            self.images += 1

    def compute(self) -> dict[str, float]:
        """Accuracy of everything counted so far; NaN where nothing was.

        Returns:
            `max_box_acc`: of the largest part's box, at IoU 0.5. `max_box_acc_v2`: of the best box
            of all parts, averaged over the IoUs, each at its own best threshold.
        """
        best = (self.correct.double() / self.images).amax(dim=0)
        return {
            "max_box_acc": float(best[LARGEST, self.deltas.index(FIRST_DELTA)]),
            "max_box_acc_v2": float(best[ANY].mean()),
        }
