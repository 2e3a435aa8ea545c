"""VOC 2012 in miniature: the folders, lists and oddities of the devkit, of a few small images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from devkits.pictures import picture

VOID = 255
BORDER_PX = 2
TRAIN = ["2007_000001", "2007_000002", "2007_000003"]
VAL = ["2007_000010", "2007_000011", "2008_000012"]
EXTRA = ["2008_000004", "2008_000005", "2009_000006", "2010_000007"]
"""Images that have masks in SegmentationClassAug alone."""
NOT_ANNOTATED = "2011_000099"
"""An image without an annotation, which is in no list."""
OBJECTS: dict[str, tuple[tuple[str, bool], ...]] = {
    "2007_000001": (("dog", False), ("dog", False)),
    "2007_000002": (("cat", True), ("person", False)),
    "2007_000003": (("tvmonitor", False),),
    "2008_000004": (("dog", False),),
    "2008_000005": (("cat", False), ("dog", False)),
    "2009_000006": (("person", False), ("tvmonitor", True)),
    "2010_000007": (("cat", False),),
    "2007_000010": (("dog", False),),
    "2007_000011": (("cat", False), ("person", True)),
    "2008_000012": (("tvmonitor", False),),
}
"""Class of each object, and whether it is marked difficult."""
LABELS = {"cat": 8, "dog": 12, "person": 15, "tvmonitor": 20}
OBJECT = "<object><name>{}</name><difficult>{:d}</difficult><part><name>head</name></part></object>"


def write_voc12(
    root: Path, lists: Mapping[str, Sequence[str]] | None = None, aug_masks: bool = True
) -> Path:
    """Write VOCdevkit/VOC2012 into a folder, and return the devkit.

    Args:
        root: the folder.
        lists: ids by name; `train` and `val` if None.
        aug_masks: whether SegmentationClassAug is there.
    """
    devkit = root / "VOCdevkit" / "VOC2012"
    for folder in ("Annotations", "ImageSets/Segmentation", "SegmentationClass"):
        (devkit / folder).mkdir(parents=True)
    for image_id, objects in OBJECTS.items():
        mask = _mask([LABELS[name] for name, _ in objects], 64, 80)
        picture(devkit / "JPEGImages" / f"{image_id}.jpg", np.where(mask == VOID, 0, mask))
        xml = "".join(OBJECT.format(*one) for one in objects)
        path = devkit / "Annotations" / f"{image_id}.xml"
        path.write_text(f"<annotation><filename>{image_id}.jpg</filename>{xml}</annotation>")
        if image_id not in EXTRA:
            _save(devkit / "SegmentationClass" / f"{image_id}.png", mask)
        if aug_masks:  # Those have no void at the borders.
            inner = np.where(mask == VOID, 0, mask)
            _save(devkit / "SegmentationClassAug" / f"{image_id}.png", inner)
    picture(devkit / "JPEGImages" / f"{NOT_ANNOTATED}.jpg", np.zeros((64, 80), dtype=np.uint8))
    for name, ids in (lists or {"train": TRAIN, "val": VAL}).items():
        (devkit / f"ImageSets/Segmentation/{name}.txt").write_text("\n".join(ids) + "\n")
    return devkit


def _mask(labels: Sequence[int], height: int, width: int) -> np.ndarray:
    """A box for each label, with void around it."""
    mask = np.zeros((height, width), dtype=np.uint8)
    step = width // len(labels)
    for number, label in enumerate(labels):
        left, right = number * step + step // 6, (number + 1) * step - step // 6
        mask[10 : height - 10, left:right] = VOID
        inner = slice(left + BORDER_PX, right - BORDER_PX)
        mask[10 + BORDER_PX : height - 10 - BORDER_PX, inner] = label
    return mask


def _save(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(mask).save(path)
