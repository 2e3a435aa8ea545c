"""Predicted masks as COCO's JSON of annotations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from wsss.data.sample import Item
from wsss.predict.output_folder import OutputFolder


@dataclass(frozen=True, slots=True)
class NoteSegments:
    """Notes COCO's annotations of an image's mask, in a CPU process."""

    output: OutputFolder

    def __call__(self, item: Item) -> None:
        """Note the segments of an image."""
        segments = segments_of(self.output.masks.read(item))
        self.output.segments.write(item, {"segments": segments})


def segments_of(mask: UInt8[np.ndarray, "h w"]) -> list[dict[str, Any]]:
    """One annotation for each class in a mask: run-length code, box, area.

    A segmenter tells no two objects of one class apart, so that they share an annotation.
    """
    from pycocotools import mask as codes  # type: ignore[import-untyped]

    found = []
    for label in np.unique(mask).tolist():
        if not label:
            continue
        code: Any = codes.encode(np.asfortranarray(mask == label, dtype=np.uint8))
        found.append(
            {
                "category_id": label,
                "segmentation": {"size": code["size"], "counts": code["counts"].decode("ascii")},
                "bbox": codes.toBbox(code).tolist(),
                "area": int(codes.area(code)),
                "iscrowd": 0,
            }
        )
    return found


def coco(items: Iterable[Item], output: OutputFolder, class_names: Sequence[str]) -> dict[str, Any]:
    """The content of `coco.json`; category c is the class of mask value c.

    Args:
        items: images whose segments are noted.
        output: the folder of notes.
        class_names: names of the C classes.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(items, 1):
        note = output.areas.read(item)
        size = {"height": note["height"], "width": note["width"]}
        images.append({"id": number, "file_name": note["image"], **size})
        for segment in output.segments.read(item)["segments"]:
            one = {"id": len(annotations) + 1, "image_id": number, **segment}
            annotations.append(one)
    categories = [{"id": c, "name": name} for c, name in enumerate(class_names, 1)]
    info = {"description": "predictions of wsss: one annotation for each image and class"}
    return {
        "info": info, "images": images, "annotations": annotations, "categories": categories
    }  # fmt: skip
