"""COCO 2014 in miniature: its files, categories and oddities, of a few small images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.models import _meta

from devkits.pictures import picture

CATEGORIES = {
    number: name
    for number, name in enumerate(_meta._COCO_CATEGORIES)
    if name not in {"__background__", "N/A"}
}
"""The 80 names by their ids of 1 to 90, as torchvision lists them."""
PERSON, BOTTLE, CUP, CAT, DOG, TOOTHBRUSH = 1, 44, 47, 17, 18, 90


def box(left: float, top: float, right: float, bottom: float) -> list[float]:
    """The polygon of a box."""
    return [left, top, right, top, right, bottom, left, bottom]


def runs(region: np.ndarray) -> dict[str, Any]:
    """Run lengths of a region in numbers, column by column, the background first."""
    flat = region.T.ravel().astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *changes, len(flat)]).tolist()
    return {"counts": [0, *counts] if flat[0] else counts, "size": [*region.shape]}


def _rectangle(top: int, bottom: int, left: int, right: int, size: tuple[int, int]) -> np.ndarray:
    region = np.zeros(size, dtype=bool)
    region[top:bottom, left:right] = True
    return region


SMALL, TALL = (64, 80), (80, 60)
DOT = [10, 10, 11.5, 10, 11.5, 11.2, 10, 11.2]
DIAMOND = [30, 5, 55, 40, 30, 75, 5, 40]
CROWD = _rectangle(8, 40, 5, 75, SMALL)
CORNER = _rectangle(0, 9, 0, 60, TALL)
SHOWN: dict[str, list[tuple[tuple[int, int], list[tuple[int, Any, int]]]]] = {
    "train2014": [
        # A dog behind a pole: two polygons of one instance.
        (SMALL, [(DOG, [box(5, 10, 30, 50), box(40.5, 10.25, 70.75, 50)], 0)]),
        # A cup before a person who is listed later, and a bottle, half of it behind the person.
        (TALL, [(CUP, [box(20, 30, 32, 44)], 0), (PERSON, [box(8, 5, 50, 75)], 0)]),
        # A crowd with one person of its own.
        (SMALL, [(PERSON, runs(CROWD), 1), (PERSON, [box(10, 20, 25, 60)], 0)]),
        (SMALL, []),
        # A tiny cat, of a pixel or two, beside a dog.
        (TALL, [(CAT, [DOT], 0), (DOG, [box(5, 30, 55, 70)], 0)]),
        (SMALL, [(TOOTHBRUSH, [[10.3, 12.7, 60.1, 20.4, 66.6, 44.4, 33.3, 55.9, 12, 40]], 0)]),
        (SMALL, [(BOTTLE, runs(_rectangle(20, 60, 10, 50, SMALL)), 1)]),
        (TALL, [(DOG, [box(5, 5, 40, 45)], 0), (CAT, [box(20, 25, 55, 65)], 0)]),
        (SMALL, [(PERSON, [box(12, 6, 52, 60)], 0), (BOTTLE, [box(60, 6, 74, 60)], 0)]),
    ],
    "val2014": [
        (SMALL, [(DOG, [box(8, 8, 60, 56)], 0)]),
        (SMALL, [(PERSON, [box(8, 8, 40, 56)], 0), (CUP, [box(30, 20, 50, 50)], 0)]),
        (TALL, [(CAT, [DIAMOND], 0), (CAT, runs(CORNER), 1)]),
        (SMALL, []),
    ],
}  # fmt: skip
"""Size and instances of each image: category, segmentation, and whether it is a crowd."""
GREY = {"COCO_train2014_000000000006"}


def write_coco14(root: Path, folder: str = "{}", without: Sequence[str] = ()) -> Path:
    """Write annotations/ and images into a folder, and return it.

    Args:
        root: the folder.
        folder: of a split's images.
        without: files and folders that are left out.
    """
    from pycocotools import mask as run_lengths

    number = 0
    for split, images in SHOWN.items():
        listed, annotations = [], []
        for image_id, (size, instances) in enumerate(images, 1):
            stem = f"COCO_{split}_{image_id:012d}"
            colours = np.zeros(size, dtype=np.uint8)
            for category, segmentation, crowd in instances:
                number += 1
                if isinstance(segmentation, dict):
                    encoded = run_lengths.frPyObjects(segmentation, *size)
                else:
                    encoded = run_lengths.merge(run_lengths.frPyObjects(segmentation, *size))
                colours[run_lengths.decode(encoded) == 1] = category
                annotations.append(
                    {
                        "segmentation": segmentation,
                        "area": float(run_lengths.area(encoded)),
                        "iscrowd": crowd,
                        "image_id": image_id,
                        "bbox": run_lengths.toBbox(encoded).tolist(),
                        "category_id": category,
                        "id": number,
                    }
                )
            picture(root / folder.format(split) / f"{stem}.jpg", colours, stem in GREY)
            listed.append(
                {"file_name": f"{stem}.jpg", "height": size[0], "width": size[1], "id": image_id}
            )
        categories = [
            {"supercategory": "", "id": n, "name": name} for n, name in CATEGORIES.items()
        ]
        content = {
            "info": {"description": "COCO 2014 in miniature", "year": 2014},
            "images": listed,
            "licenses": [{"id": 1, "name": "none"}],
            "annotations": annotations[::-1],  # In no order of the images, as COCO's own.
            "categories": categories,
        }
        path = root / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    for name in without:
        (root / name).rename(root / f"not_{Path(name).name}")
    return root
