"""Predicted masks as COCO's JSON of annotations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wsss.artifacts.coco import coco_annotations, coco_document, coco_image
from wsss.data.sample import Item
from wsss.predict.output_folder import OutputFolder


@dataclass(frozen=True, slots=True)
class NoteSegments:
    """Notes COCO's annotations of an image's mask, in a CPU process; their ids follow later.

    A segmenter tells no two objects of one class apart, so that they share an annotation.
    """

    output: OutputFolder
    num_classes: int

    def __call__(self, item: Item) -> None:
        """Note the segments of an image."""
        segments = coco_annotations(self.output.masks.read(item), self.num_classes, image_id=0)
        self.output.segments.write(item, {"segments": segments})


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
        images.append(coco_image(number, note["image"], (note["height"], note["width"])))
        for segment in output.segments.read(item)["segments"]:
            ids = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(segment | ids)
    description = "predictions of wsss: one annotation for each image and class"
    return coco_document(class_names, images, annotations, description)
