"""Pictures of an audit's findings: an image, and the map of a class as a layer over it."""

import logging
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int64, UInt8
from PIL import Image as Pillow

from wsss.artifacts import opened
from wsss.artifacts.checksums import as_written
from wsss.data.sample import Item, safe_file_stem
from wsss.data.source import SPLITS, Source
from wsss.errors import WsssError
from wsss.report.overlays import heat_colors, to_bytes
from wsss.report.panels import data_uri, fit

log = logging.getLogger(__name__)

EVIDENCE = "evidence"
"""Folder of the maps below that of an audit."""
HEIGHT_PX = 300
"""Height at which images are kept in the page."""
BOX = ("left_px", "top_px", "right_px", "bottom_px")
"""Names of a box in the evidence of a finding, in pixels of the image."""


@dataclass(frozen=True, slots=True)
class Maps:
    """The maps of an image that were kept."""

    maps: Float[np.ndarray, "k h w"]
    """In [0, 1], at the resolution of the features."""
    classes: Int64[np.ndarray, " k"]
    """Of each map: its place among the names of classes, from 0."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One image as a finding shows it."""

    item_id: str
    split: str
    tags: tuple[str, ...]
    picture: str = ""
    """Data URI of the image; empty where it cannot be read."""
    layer: str = ""
    """Data URI of the map, transparent where it is low; empty where there is none."""
    map_of: str = ""
    """What the map is of, in words."""
    size: tuple[int, int] = (0, 0)
    """Width and height of the picture in pixels."""
    box: tuple[float, float, float, float] | None = None
    """Left, top, width and height of a marked part, in percent of the image."""
    problem: str = ""
    """Why there is no image or no map."""


@dataclass
class Pictures:
    """Draws the images of findings, each once."""

    source: Source
    output: Path
    """Folder of the audit."""
    _items: dict[str, tuple[str, Item]] = field(init=False)
    _images: dict[str, tuple[str, tuple[int, int], tuple[int, int]]] = field(
        init=False, default_factory=dict
    )
    """By id: data URI, width and height of the picture, width and height of the image."""

    def __post_init__(self) -> None:
        """Index the items of both splits."""
        self._items = {
            item.id: (split, item) for split in SPLITS for item in self.source.items(split)
        }

    def tags(self, item_id: str) -> tuple[str, ...]:
        """Names of the tags of an image; none of an image that is not in the data set."""
        if item_id not in self._items:
            return ()
        names = self.source.class_names
        return tuple(names[label - 1] for label in self._items[item_id][1].labels)

    def with_all(self, *names: str | None) -> list[str]:
        """Ids of the images that have all of these tags, those with maps first."""
        found = [one for one in self._items if set(names) <= set(self.tags(one))]
        return sorted(found, key=lambda one: not self._path(one).is_file())

    def seen(
        self,
        item_id: str,
        label: str | None = None,
        evidence: Mapping[str, float] | None = None,
        *,
        mapped: bool = True,
    ) -> Seen:
        """An image, with the map of a class.

        Args:
            item_id: id of the image.
            label: name of the class; None: the strongest of the maps that were kept.
            evidence: of the finding, which may hold a box.
            mapped: whether to show a map at all.
        """
        if item_id not in self._items:
            return Seen(item_id, "", (), problem="The data set has no image of this name.")
        split, item = self._items[item_id]
        told = (item_id, split, self.tags(item_id))
        try:
            picture, size, of_image = self._image(item)
        except WsssError as error:
            log.warning("%s is not shown: %s", item_id, error)
            return Seen(*told, problem=f"The image cannot be read: {error}")
        heat, map_of, problem = self._heat(item_id, label) if mapped else (None, "", "")
        return Seen(
            *told,
            picture=picture,
            layer="" if heat is None else layer_uri(heat),
            map_of=map_of,
            size=size,
            box=_box(evidence or {}, *of_image),
            problem=problem,
        )

    def _path(self, item_id: str) -> Path:
        return self.output / EVIDENCE / f"{safe_file_stem(item_id)}.npz"

    def _image(self, item: Item) -> tuple[str, tuple[int, int], tuple[int, int]]:
        if item.id not in self._images:
            image = self.source.read_image(item)
            height, width = image.shape[:2]
            to_height, to_width = fit(height, width, min(HEIGHT_PX, height))
            small = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_AREA)
            uri = data_uri(small.astype(np.uint8))
            self._images[item.id] = uri, (to_width, to_height), (width, height)
        return self._images[item.id]

    def _heat(
        self, item_id: str, label: str | None
    ) -> tuple[Float[np.ndarray, "h w"] | None, str, str]:
        """A map, what it is of, and why there is none."""
        path = self._path(item_id)
        if not path.is_file():
            return None, "", "No map of this image was kept."
        try:
            kept = read_maps(path)
        except WsssError as error:
            log.warning("the map of %s is not shown: %s", item_id, error)
            return None, "", "The map of this image is damaged."
        names = [self.source.class_names[one] for one in kept.classes]
        if label is not None:
            if label not in names:
                return None, "", f"No map of {label} was kept."
            return kept.maps[names.index(label)], label, ""
        if not names:
            return None, "", "No map of this image was kept."
        return kept.maps.max(axis=0), ", ".join(names), ""


def read_maps(path: Path) -> Maps:
    """Read the maps of an image.

    Raises:
        DamagedFileError: the file is none that an audit wrote.
    """
    with as_written(path), opened(path) as content:
        maps = content["maps"].astype(np.float32)
        classes = content["classes"].astype(np.int64)
        if maps.ndim != 3 or len(maps) != len(classes):
            raise ValueError(f"maps of shape {maps.shape} for {len(classes)} classes")
        return Maps(maps, classes)


def layer_uri(heat: Float[np.ndarray, "h w"]) -> str:
    """A map in [0, 1] as a PNG with opacity, in a data URI; the page enlarges it."""
    fire, opacity = heat_colors(heat)
    layer: UInt8[np.ndarray, "h w 4"] = np.concatenate([fire, to_bytes(255 * opacity)], axis=-1)
    stream = BytesIO()
    Pillow.fromarray(layer).save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + b64encode(stream.getvalue()).decode("ascii")


def _box(
    evidence: Mapping[str, float], width: int, height: int
) -> tuple[float, float, float, float] | None:
    """The box in a finding's evidence, in percent of the image; None where it has none."""
    if not all(name in evidence for name in BOX):
        return None
    left, top, right, bottom = (evidence[name] for name in BOX)
    across, down = 100 / width, 100 / height
    return left * across, top * down, (right - left) * across, (bottom - top) * down
