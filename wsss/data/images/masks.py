"""Mask files as labels."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from wsss.data.images.opening import opened
from wsss.data.sample import VOID_LABEL
from wsss.errors import user_error


def read_mask(path: Path, num_classes: int) -> UInt8[np.ndarray, "h w"]:
    """The label of each pixel: 0 background, 1…`num_classes`, 255 void.

    The file is a palette image, whose indices are the labels, or a greyscale one, whose grey values
    are.

    Raises:
        WsssError: the file is missing or unreadable, has colours instead of labels, or invalid
            labels.
    """
    with opened(path) as picture:
        if not (picture.mode in ("1", "L", "P", "I") or picture.mode.startswith("I;16")):
            raise user_error(
                path,
                f"a mask of colours (mode {picture.mode})",
                "one label a pixel: an 8-bit palette or greyscale PNG",
                "Save it with label numbers instead of colours: "
                "`Image.fromarray(labels.astype('uint8')).save('mask.png')`.",
            )
        labels = np.asarray(picture)
    wrong = (labels < 0) | (labels > num_classes) & (labels != VOID_LABEL)
    if wrong.any():
        unknown = np.unique(labels[wrong])
        values = ", ".join(str(value) for value in unknown[:8]) + ", …" * (len(unknown) > 8)
        raise user_error(
            path,
            f"a mask with unknown values: {values}",
            f"0 for background, 1…{num_classes} for the classes in their order, "
            f"{VOID_LABEL} for void",
            "Renumber the mask's labels, or list all classes in classes.txt.",
        )
    return labels.astype(np.uint8)


def check_mask_size(path: Path, mask_size: tuple[int, int], size: tuple[int, int]) -> None:
    """Refuse a mask of another size than its image.

    Args:
        path: the mask's file, for the message.
        mask_size: height and width of the mask in pixels.
        size: height and width of the upright image in pixels.

    Raises:
        WsssError: the sizes differ.
    """
    if mask_size == size:
        return
    turned = " (is the mask that of the image before its EXIF rotation?)"
    raise user_error(
        path,
        f"a mask of {_dimensions(mask_size)} for an image of {_dimensions(size)}"
        + turned * (mask_size == size[::-1]),
        "a mask as large as its image, seen upright",
        "Resize the mask without interpolation (nearest neighbour), or make it anew.",
    )


def _dimensions(size: tuple[int, int]) -> str:
    """A size as text: width × height."""
    return f"{size[1]} × {size[0]} px"
