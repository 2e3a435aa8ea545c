"""Label masks in COCO's format: one region a class, run-length encoded.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; regions of a class as in Caesar
et al., "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8


def coco_document(
    class_names: Sequence[str],
    images: Iterable[dict[str, Any]],
    annotations: Iterable[dict[str, Any]],
    description: str = "",
) -> dict[str, Any]:
    """A COCO file's content: images and their regions, and class `c` as category `c + 1`.

    Args:
        class_names: of the C classes, without background.
        images: of `coco_image`.
        annotations: of `coco_annotations`; their ids differ.
        description: of the data.
    """
    categories = [
        {"id": label, "name": name, "supercategory": ""}
        for label, name in enumerate(class_names, 1)
    ]
    return {
        "info": {"description": description},
        "licenses": [],
        "images": list(images),
        "annotations": list(annotations),
        "categories": categories,
    }


def coco_image(image_id: int, file_name: str, size: tuple[int, int]) -> dict[str, Any]:
    """An entry of `images`; `size` is height and width in pixels."""
    height, width = size
    return {"id": image_id, "file_name": file_name, "height": height, "width": width}


def coco_annotations(
    labels: UInt8[np.ndarray, "h w"],
    num_classes: int,
    image_id: int,
    first_id: int = 1,
) -> list[dict[str, Any]]:
    """Entries of `annotations` for one image: a region for each class, in the order of the classes.

    Background and void pixels belong to no region. No region is a crowd: `iscrowd` is 0.

    Args:
        labels: 0 background, 1…C classes, larger values (255) void.
        num_classes: number of classes C.
        image_id: of the image's entry.
        first_id: id of the first annotation; the others follow.

    Returns:
        for each region: `category_id` 1…C, `segmentation` as compressed run lengths in text,
        `area` in pixels, `bbox` as left, top, width, height in pixels.
    """
    from pycocotools import mask as run_lengths

    entries = []
    present = [int(label) for label in np.unique(labels) if 1 <= label <= num_classes]
    for number, label in enumerate(present, first_id):
        region = np.asfortranarray(labels == label, dtype=np.uint8)
        encoded = run_lengths.encode(region)
        entries.append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": label,
                "segmentation": {
                    "size": [int(side) for side in encoded["size"]],
                    "counts": encoded["counts"].decode("ascii"),
                },
                "area": int(region.sum()),
                "bbox": [float(side) for side in run_lengths.toBbox(encoded)],
                "iscrowd": 0,
            }
        )
    return entries
