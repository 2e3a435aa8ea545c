"""The instances of COCO, for their tags only: which categories an image shows.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. Boxes and segmentations are not
looked at.
"""

from typing import Any

from wsss.data.sources.folder.tags.tag_table import Request, TagRow, TagTable
from wsss.data.sources.text_files import cleaned
from wsss.errors import WsssError, user_error
from wsss.wording import plural

_PARTS = ("images", "annotations", "categories")


def is_coco(content: object) -> bool:
    """Whether the content of a JSON file is that of COCO's instances, or parts of it."""
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def coco_table(content: dict[str, Any], request: Request) -> TagTable:
    """The categories of each image's annotations, crowds included.

    Images without annotations have no labels.

    Raises:
        WsssError: a part is missing, or an annotation has no image or category.
    """
    for part in _PARTS:
        if not isinstance(content.get(part), list):
            raise user_error(
                request.path,
                f"no list of `{part}`",
                "instances of COCO: `images`, `annotations` and `categories`",
                "Write it, or use the instances (not captions or key points) of this data set.",
            )
    try:
        names = {one["id"]: cleaned(str(one["name"])) for one in content["categories"]}
        files = {one["id"]: cleaned(str(one["file_name"])) for one in content["images"]}
    except (KeyError, TypeError) as error:
        raise _damaged(request, f"an image or a category without {error}") from None
    for kind, ids in (("images", files), ("categories", names)):
        if len(ids) < len(content[kind]):
            raise _damaged(request, f"two {kind} with the same id")
    labels: dict[Any, dict[str, None]] = {image: {} for image in files}
    for number, one in enumerate(content["annotations"], 1):
        try:
            labels[one["image_id"]][names[one["category_id"]]] = None
        except (KeyError, TypeError) as error:
            reason = f"annotation {number}: no image, no category, or none with the id {error}"
            raise _damaged(request, reason) from None
    rows = [TagRow(f"image {image}", files[image], tuple(labels[image])) for image in files]
    used = len({name for row in rows for name in row.labels})
    reading = f"instances of COCO; {used:,} of {plural(len(names), 'category', 'categories')} used"
    return TagTable(rows, reading)


def _damaged(request: Request, came: str) -> WsssError:
    return user_error(
        request.path,
        came,
        "images with `id` and `file_name`, categories with `id` and `name`, annotations with "
        "`image_id` and `category_id`",
        "Correct the file.",
    )
