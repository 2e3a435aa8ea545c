"""The layers of an image in the gallery, so small that a page holds a thousand images.

The picture is WebP. Maps and masks are bytes that the page's script unpacks without loss: it
thresholds the maps and colours the masks itself.
"""

import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow

from wsss.artifacts import Seeds
from wsss.report.overlays import Image, Labels, to_bytes
from wsss.report.panels import Evidence

GALLERY_CHARS = 13_500_000
"""Of all images of a page together, in base64: the rest of 15 MB is for everything else."""
ENTRY_CHARS = 700
"""Left for the id, tags and numbers of an image."""
MAX_CHARS = 70_000
"""Of one image where there are few."""
QUALITIES = (78, 60, 45, 30, 15, 5)
"""Of WebP; the first with which the picture fits."""
SMALLER = 0.7
"""Factor of all layers' sides where no quality makes the picture fit."""
MIN_SIDE_PX = 32


@dataclass(frozen=True, slots=True)
class Budget:
    """How large the layers of an image may be."""

    chars: int
    """Of base64, all layers together."""
    side_px: int
    """Longer side of the picture and of the masks."""
    map_side_px: int
    """Longer side of the maps: larger ones are reduced."""


def budget(images: int) -> Budget:
    """The room for each of so many images, at most `MAX_CHARS`."""
    chars = min(MAX_CHARS, GALLERY_CHARS // max(1, images) - ENTRY_CHARS)
    if chars >= 45_000:
        return Budget(chars, 400, 128)
    return Budget(chars, 320, 96) if chars >= 22_000 else Budget(chars, 224, 56)


def encode_layers(
    evidence: Evidence, room: Budget, further: Mapping[str, Labels | None] | None = None
) -> dict[str, Any]:
    """The layers of an image as plain JSON, in `room.chars` characters.

    The picture's quality falls until it fits, and at last the size of all layers.

    Args:
        evidence: the image and its results.
        room: for them.
        further: masks besides those of `evidence`, by name.

    Returns:
        `size`, width and height of picture and masks; `image`, WebP in base64; `maps`, each with
        its `kind`, `labels` and `size`; `masks` by name, at the picture's size; `present`, labels
        that occur in a mask. Maps and masks are packed by `pack`.
    """
    masks = {name.replace(" ", "_"): mask for name, mask in evidence.label_masks.items()}
    masks |= {name: mask for name, mask in (further or {}).items() if mask is not None}
    present = sorted({int(label) for mask in masks.values() for label in np.unique(mask)})
    side, map_side = float(room.side_px), float(room.map_side_px)
    while True:
        maps = [
            _maps(kind, seeds, map_side)
            for kind, seeds in (("cam", evidence.seeds), ("refined_map", evidence.later_seeds))
            if seeds is not None and len(seeds.labels)
        ]
        width, height = _fit(evidence.image, round(side))
        packed = {name: pack(_nearest(mask, width, height)) for name, mask in masks.items()}
        taken = sum(map(len, packed.values())) + sum(len(one["data"]) for one in maps)
        picture = _picture(evidence.image, width, height, room.chars - taken)
        if picture is not None or side * SMALLER < MIN_SIDE_PX:
            break
        side, map_side = SMALLER * side, SMALLER * map_side
    return {
        "size": [width, height],
        "image": picture or "",
        "maps": maps,
        "masks": packed,
        "present": present,
    }


def pack(values: UInt8[np.ndarray, "*n h w"], smooth: bool = False) -> str:
    """Bytes, deflated, in base64.

    Args:
        values: maps or labels, row by row.
        smooth: store differences to the pixels before, modulo 256, which deflate better.
    """
    if smooth:
        values = np.diff(values, axis=-1, prepend=np.uint8(0))
        values = np.diff(values, axis=-2, prepend=np.uint8(0))
    return b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode("ascii")


def _maps(kind: str, seeds: Seeds, side_px: float) -> dict[str, Any]:
    """Maps in 8 bits, reduced where they are larger than `side_px`."""
    maps = seeds.maps.astype(np.float32)
    height, width = maps.shape[1:]
    if (scale := side_px / max(height, width)) < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        maps = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in maps])
    levels = to_bytes(255 * maps)
    return {
        "kind": kind,
        "labels": seeds.labels.tolist(),
        "size": [levels.shape[2], levels.shape[1]],
        "data": pack(levels, smooth=True),
    }


def _fit(image: Image, side_px: int) -> tuple[int, int]:
    """Width and height of an image whose longer side is `side_px` at most."""
    height, width = image.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _nearest(mask: Labels, width: int, height: int) -> Labels:
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(small, dtype=np.uint8)


def _picture(image: Image, width: int, height: int, chars: int) -> str | None:
    """The picture in base64 of at most so many characters; None where none is so small."""
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    picture = Pillow.fromarray(np.asarray(small, dtype=np.uint8))
    for quality in QUALITIES:
        stream = BytesIO()
        picture.save(stream, format="WEBP", quality=quality, method=4)
        coded = b64encode(stream.getvalue()).decode("ascii")
        if len(coded) <= chars:
            return coded
    return None
