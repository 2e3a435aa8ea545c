"""What a file of COCO's instances holds, in arrays."""

import json
import logging
import mmap
import zlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from wsss.data.sample import MAX_CLASSES
from wsss.data.sources.coco.json_lists import list_elements
from wsss.data.sources.coco.kept_bytes import Bytes
from wsss.data.sources.file_digests import DIGEST_BYTES
from wsss.data.sources.text_files import cleaned
from wsss.data.texts import Texts
from wsss.errors import WsssError, user_error

log = logging.getLogger(__name__)

LONG_MB = 50
"""Size of a file in megabytes from which on its reading is announced."""
_LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True, slots=True)
class Instances:
    """Images and their instances, at some hundred bytes an image besides the instances' text."""

    categories: Mapping[int, str]
    """Names by COCO's ids, ascending, which have gaps; the first is class 1."""
    files: Texts
    """Name of each image's file."""
    sides: Int32[np.ndarray, "n 2"]
    """Height and width of each image in pixels."""
    labels: UInt8[np.ndarray, " t"]
    """Mask values of all images' tags, ascending, those of one image after those of another."""
    label_starts: Int64[np.ndarray, " n+1"]
    text: Bytes
    """The annotations of each image as a list of JSON, packed by zlib."""
    text_starts: Int64[np.ndarray, " n+1"]
    digest: str
    """Hash of everything that masks are drawn from."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.sides)

    def labels_of(self, image: int) -> tuple[int, ...]:
        """The mask values of an image's tags: its instances' categories, crowds included."""
        start, stop = self.label_starts[image : image + 2]
        return tuple(self.labels[start:stop].tolist())

    def has_objects(self, image: int) -> bool:
        """Whether an image has instances."""
        return bool(self.text_starts[image] < self.text_starts[image + 1])


def annotations_in(packed: bytes) -> list[dict[str, Any]]:
    """The annotations that `Instances.text` holds of an image; none where it holds nothing."""
    found: list[dict[str, Any]] = json.loads(zlib.decompress(packed)) if packed else []
    return found


def read_instances(path: Path) -> Instances:
    """Read a file of instances, an element at a time: it may have half a gigabyte.

    Raises:
        WsssError: it is none, or what it holds does not fit together.
    """
    size_mb = path.stat().st_size / 1e6
    if size_mb > LONG_MB:
        log.info("Reading %s (%.0f MB) once, which may take a minute", path, size_mb)
    found = _Lists()
    try:
        for element in list_elements(path):
            if element.key in _LISTS:
                found.add(element.key, element.value, element.start, element.stop)
    except OSError as error:
        raise _damaged(path, f"it cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"no instances of COCO ({error})") from None
    except KeyError as error:
        raise _damaged(path, f"an entry without {error}") from None
    except (TypeError, OverflowError) as error:
        raise _damaged(path, f"an entry of another kind ({error})") from None
    return found.joined(path)


class _Lists:
    """The three lists of a file, in arrays."""

    def __init__(self) -> None:
        self.categories: dict[int, str] = {}
        self.files = Texts()
        self.image_ids, self.sides = array("q"), array("i")
        self.image_of, self.category_of = array("q"), array("q")
        """By annotation, COCO's ids."""
        self.places = array("q")
        """Begin and end of each annotation in the file."""
        self.missing = {*_LISTS}

    def add(self, key: str, value: Any, start: int, stop: int) -> None:
        """Note an element of a list."""
        self.missing.discard(key)
        if key == "images":
            self.image_ids.append(value["id"])
            self.files.append(cleaned(str(value["file_name"])))
            self.sides.extend((value["height"], value["width"]))
        elif key == "categories":
            if value["id"] in self.categories:
                raise ValueError(f"two categories with the id {value['id']}")
            self.categories[int(value["id"])] = cleaned(str(value["name"]))
        else:
            self.image_of.append(value["image_id"])
            self.category_of.append(value["category_id"])
            self.places.extend((start, stop))

    def joined(self, path: Path) -> Instances:
        """Annotations by image.

        Raises:
            WsssError: there are no images, or ids do not fit together.
        """
        if missing := self.missing - {"annotations"}:
            raise _damaged(path, f"no list of `{min(missing)}`")
        if len(self.categories) > MAX_CLASSES:
            raise _damaged(path, f"{len(self.categories)} categories, more than {MAX_CLASSES}")
        categories = dict(sorted(self.categories.items()))
        image = _positions(path, "image", self.image_of, self.image_ids)
        label = 1 + _positions(path, "category", self.category_of, array("q", categories))
        num_images = len(self.image_ids)
        stems = {PurePosixPath(one).stem for one in self.files}
        if len(stems) < num_images:
            raise _damaged(path, f"{num_images - len(stems)} images with the name of another")
        tags = np.unique(np.stack([image, label]), axis=1)
        order = np.argsort(image, kind="stable")
        starts = np.searchsorted(image[order], np.arange(num_images + 1))
        places = np.array(self.places).reshape(-1, 2)[order]
        text, text_starts, digest = _packed(path, places, starts)
        sides = np.array(self.sides, dtype=np.int32).reshape(-1, 2)
        digest.update(json.dumps([*categories.items()]).encode())
        digest.update(sides.tobytes())
        return Instances(
            categories,
            self.files,
            sides,
            tags[1].astype(np.uint8),
            np.searchsorted(tags[0], np.arange(num_images + 1)).astype(np.int64),
            text,
            np.array(text_starts, dtype=np.int64),
            digest.hexdigest(),
        )


def _positions(
    path: Path, kind: str, wanted: "array[int]", ids: "array[int]"
) -> Int64[np.ndarray, " m"]:
    """The position of each wanted id among ids that differ.

    Raises:
        WsssError: ids are the same, or one is missing.
    """
    known, sought = np.array(ids, dtype=np.int64), np.array(wanted, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    ascending = known[order]
    if np.any(ascending[1:] == ascending[:-1]):
        raise _damaged(path, f"two entries of kind `{kind}` with the same id")
    place = np.minimum(np.searchsorted(ascending, sought), max(len(known) - 1, 0))
    wrong = ascending[place] != sought if len(known) else np.ones(len(sought), dtype=bool)
    if wrong.any():
        raise _damaged(path, f"an annotation of the {kind} {sought[wrong][0]}, which is not listed")
    return order[place].astype(np.int64) if len(known) else sought


def _packed(path: Path, places: np.ndarray, starts: np.ndarray) -> tuple[bytes, "array[int]", Any]:
    """Texts of each image's annotations, packed; where each begins; and their hash so far.

    They are taken from the file a second time, as all of them would fill the memory.

    Args:
        path: of the file.
        places: begin and end of each annotation in it, by image.
        starts: of each image's annotations among those.
    """
    text, text_starts = bytearray(), array("q", [0])
    digest = blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as file:
        for start, stop in pairwise(starts.tolist()):
            if start < stop:
                own = b"[" + b",".join(file[a:b] for a, b in places[start:stop].tolist()) + b"]"
                digest.update(own)
                text += zlib.compress(own, 1)
            else:
                digest.update(b"[]")
            text_starts.append(len(text))
    return bytes(text), text_starts, digest


def _damaged(path: Path, came: str) -> WsssError:
    return user_error(
        path,
        came,
        "instances of COCO: `images` with `id`, `file_name`, `height` and `width`, `categories` "
        "with `id` and `name`, `annotations` with `image_id`, `category_id` and `segmentation`",
        "Extract the archive of annotations again, or correct the file.",
    )
