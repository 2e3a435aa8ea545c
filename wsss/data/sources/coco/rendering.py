"""Masks of classes from the instances of COCO."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from wsss.data.sample import VOID_LABEL

Annotation = Mapping[str, Any]
"""An instance as in COCO's files: `category_id`, `segmentation`, `iscrowd`, `area`."""


def class_mask(
    annotations: Sequence[Annotation], labels: Mapping[int, int], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"] | None:
    """The label of each pixel: 0 background, 1…C classes, 255 void.

    Where instances overlap the smaller one is seen, by COCO's `area`, and of equal ones the first;
    crowds are void where no single instance is. Published masks differ in both: those of coco2voc,
    which most code of weak supervision takes, order instances like this and draw crowds as
    objects; ReCAM's let the last instance win and leave crowds out.

    Args:
        annotations: of one image, in their order.
        labels: mask value 1…C by COCO's id of the category.
        size: height and width in pixels.

    Returns:
        The mask; None where an instance has no segmentation.

    Raises:
        ValueError: a segmentation is no polygons and no run lengths, or of another size.
    """
    mask = np.zeros(size, dtype=np.uint8)
    if not all(one.get("segmentation") for one in annotations):
        return None
    regions = [(one, instance_region(one["segmentation"], size)) for one in annotations]
    for one, region in regions:
        if one.get("iscrowd"):
            mask[region] = VOID_LABEL
    # Painted last is seen; sorting keeps the order of equal ones, hence from the end.
    single = [(one, region) for one, region in regions[::-1] if not one.get("iscrowd")]
    for one, region in sorted(single, key=lambda pair: -_area(*pair)):
        mask[region] = labels[one["category_id"]]
    return mask


def instance_region(segmentation: Any, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The pixels of a segmentation: the union of polygons, or run lengths, packed or in numbers.

    Pixels at the boundary are those of COCO's own code, which it is drawn by.

    Raises:
        ValueError: it is neither, or of another size.
    """
    from pycocotools import mask as run_lengths

    if isinstance(segmentation, Mapping) and [*segmentation.get("size", ())] != [*size]:
        raise ValueError(
            f"run lengths of the size {segmentation.get('size')} in an image of {[*size]}"
        )
    try:
        if isinstance(segmentation, Mapping):
            counts, encoded = segmentation["counts"], segmentation
            if isinstance(counts, list):
                if sum(counts) != size[0] * size[1]:  # Pixels of no run would be left to chance.
                    raise ValueError(f"runs of {sum(counts)} pixels in all")
                encoded = run_lengths.frPyObjects(segmentation, *size)
        else:
            encoded = run_lengths.merge(run_lengths.frPyObjects(segmentation, *size))
        return np.asarray(run_lengths.decode(encoded), dtype=bool)
    # Whatever is wrong with a segmentation, its errors have many types.
    except Exception as error:
        raise ValueError(f"no polygons and no run lengths ({error})") from error


def _area(annotation: Annotation, region: Bool[np.ndarray, "h w"]) -> float:
    """That which COCO states, else the number of pixels."""
    return float(annotation.get("area") or region.sum())
