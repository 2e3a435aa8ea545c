"""Pseudo masks as a VOC devkit and as a COCO file, with the images that they belong to."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wsss.artifacts import LabelStore, atomic, voc_palette, write_json
from wsss.artifacts.coco import coco_annotations, coco_document, coco_image
from wsss.data.images import read_header
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL, Item
from wsss.data.source import Source
from wsss.stage_tools.progress import track

DEVKIT = Path("VOCdevkit", "VOC2012")
"""Where readers of VOC look, such as torchvision's; these images are not VOC's."""
COCO_FILE = "pseudo_masks.json"
JPEG_QUALITY = 95
"""Of images that are no JPEG files."""


def export_devkit(
    folder: Path, source: Source, items: Sequence[Item], masks: LabelStore, visible: bool
) -> None:
    """Write images and masks as VOC does: `JPEGImages`, `SegmentationClass`, lists of names.

    Images are copied, so that the folder can be moved; what is no upright colour JPEG is converted.
    There is a list of training images only, since no others have pseudo masks. `labelmap.txt` has
    names and colours of the labels, as CVAT reads them.

    Args:
        folder: gets `VOCdevkit/VOC2012`.
        source: reads the images.
        items: those with masks.
        masks: palette PNGs, which are copied.
        visible: whether to show a progress bar.
    """
    devkit = folder / DEVKIT
    for item in track(items, len(items), "VOC devkit", visible=visible):
        image = devkit / "JPEGImages" / f"{item.file_stem}.jpg"
        mask = devkit / "SegmentationClass" / f"{item.file_stem}.png"
        if not image.is_file():
            with atomic(image) as temporary:
                _write_jpeg(source, item, temporary)
        if not mask.is_file():
            with atomic(mask) as temporary:
                shutil.copyfile(masks.there(item), temporary)
    names = "".join(f"{item.file_stem}\n" for item in items)
    _write(devkit / "ImageSets" / "Segmentation" / "train.txt", names)
    _write(devkit / "labelmap.txt", _label_map(source.class_names))


def export_coco(
    folder: Path,
    source: Source,
    items: Sequence[Item],
    masks: LabelStore,
    given: Sequence[str],
    visible: bool,
) -> None:
    """Write `pseudo_masks.json`: a region for each class of an image; void is in none.

    `file_name` is the image's path in the folder of images, or the name that the devkit has for an
    image that is no file.

    Args:
        folder: gets the file.
        source: has the classes.
        items: those with masks.
        masks: of the items.
        given: what a user gave that the masks are, or are computed from; of which nobody here knows
            how it was made.
        visible: whether to show a progress bar.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(track(items, len(items), "COCO", visible=visible), 1):
        labels = masks.read(item)
        name = f"{item.id}{item.image.suffix}" if item.image else f"{item.file_stem}.jpg"
        images.append(coco_image(number, name, (labels.shape[0], labels.shape[1])))
        first = len(annotations) + 1
        annotations += coco_annotations(labels, len(source.class_names), number, first)
    origin = "computed from image tags; not drawn by anyone"
    if given:
        origin = f"from given {' and '.join(given)}"
    description = f"Pseudo masks of {source.name}, {origin}"
    document = coco_document(source.class_names, images, annotations, description)
    write_json(folder / COCO_FILE, document)


def _write_jpeg(source: Source, item: Item, path: Path) -> None:
    """The image as an upright JPEG: the file itself, if it is one."""
    if item.image is not None and item.image.suffix.lower() in (".jpg", ".jpeg"):
        with Image.open(item.image) as opened:
            is_jpeg = opened.format == "JPEG"
        if is_jpeg and {*read_header(item.image).conversions} <= {"greyscale"}:
            shutil.copyfile(item.image, path)
            return
    picture = Image.fromarray(source.read_image(item))
    picture.save(path, format="JPEG", quality=JPEG_QUALITY, subsampling=0)


def _label_map(class_names: Sequence[str]) -> str:
    """CVAT's `labelmap.txt`: a line `name:red,green,blue::` for each label, in their order."""
    palette = voc_palette()
    labels = [("background", BACKGROUND_LABEL), *((n, c) for c, n in enumerate(class_names, 1))]
    rows = [*labels, ("void", VOID_LABEL)]
    lines = [f"{name}:{','.join(map(str, palette[label]))}::" for name, label in rows]
    return "# label:colour (R,G,B):parts:actions\n" + "".join(f"{line}\n" for line in lines)


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
