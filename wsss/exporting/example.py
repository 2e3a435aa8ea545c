"""The picture of a model card: a validation image beside its predicted mask."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsss.artifacts import LabelStore, atomic
from wsss.data.sample import Item
from wsss.data.source import VAL, Source
from wsss.errors import user_error
from wsss.exporting.lineage import EVALUATION, Lineage


@dataclass(frozen=True, slots=True)
class Example:
    """An image, and the predictions that have its mask."""

    item: Item
    masks: LabelStore


def find_example(item_id: str, lineage: Lineage, source: Source) -> Example:
    """The example of an id.

    Raises:
        WsssError: no image of that id was evaluated.
    """
    item = next((one for one in source.items(VAL) if one.id == item_id), None)
    evaluated = lineage.folders.get(EVALUATION)
    masks = None if evaluated is None else LabelStore(evaluated / "predictions" / VAL)
    if item is None or masks is None or not masks.has(item):
        raise user_error(
            f"example={item_id}", "no evaluated image of that id",
            "an image of the validation split, and a finished `evaluate` beside the stage",
            "Name another, or leave the example out.",
        )  # fmt: skip
    return Example(item, masks)


def write_example(path: Path, example: Example, source: Source) -> None:
    """Draw an example, the image left and its mask right."""
    from PIL import Image

    from wsss.report.overlays import label_overlay

    image = source.read_image(example.item)
    picture = np.hstack([image, label_overlay(image, example.masks.read(example.item))])
    with atomic(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
