"""The files of a run: fingerprints, manifests, seeds and label masks.

The formats are stable: other code bases read them without `wsss`. Every file is written under a
temporary name and renamed, so that a file that exists is complete.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from jaxtyping import Float16, UInt8, UInt16
from PIL import Image

from wsss.errors import user_error
from wsss.files import intact, on_disk

MANIFEST = "manifest.json"
METRICS = "metrics.json"
TEMPORARY = ".{pid}.tmp~{name}"
"""Name of a file until it is complete."""
_DIGEST = partial(hashlib.blake2b, digest_size=8)
SEED_STRIDE = 4
"""Seeds are stored at this fraction of the image's side lengths."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block succeeds.

    Raises:
        StorageError: the disk is full; nothing is left of the file.
    """
    temporary = path.with_name(TEMPORARY.format(pid=os.getpid(), name=path.name))
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of a killed run; no other process may be writing to `folder`."""
    for path in folder.rglob(TEMPORARY.format(pid="*", name="*")):
        path.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DamagedFileError: it is none.
    """
    with intact(path):
        return json.loads(path.read_text(encoding="utf-8"))


def fingerprint(content: Any) -> str:
    """Hash of plain data (dicts, lists, strings, numbers), 16 hex digits, stable across runs."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return _DIGEST(canonical.encode()).hexdigest()


@dataclass(slots=True)
class Manifest:
    """The record of a finished stage: written last, by rank 0, after all items exist."""

    stage: str
    fingerprint: str
    config: dict[str, Any]
    """The stage's resolved settings, including those without influence on results."""
    numbers: dict[str, Any]
    """The stage's return value."""
    basis: dict[str, Any] = field(default_factory=dict)
    """Content of the fingerprint: settings, data, earlier stages, weights, seed."""
    failures: dict[str, str] = field(default_factory=dict)
    """Items that could not be processed, with the reason."""
    wall_time_s: float = 0.0
    waits_s: dict[str, float] = field(default_factory=dict)
    """What the main thread of rank 0 waited for: images, network, dense CRF, CPU processes."""
    slowest: str = ""
    """The longest of these waits; empty where none was measured."""
    devices: list[str] = field(default_factory=list)
    """What the stage was computed on, each attempt's once: `cpu`, or the name of a card. Results of
    different ones differ by rounding."""
    nondeterministic: list[str] = field(default_factory=list)
    """Operations whose bytes are others each time on this device, as torch names them."""
    halvings: int = 0
    """How often a batch was split since memory did not suffice, which changes results by
    rounding."""
    peak_memory_mb: float = 0.0
    peak_gpu_memory_mb: float = 0.0
    gpu_utilisation: float | None = None
    """Mean over the stage, in [0, 1]; None without a GPU, or where its driver does not tell."""
    commit: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    finished_at: str = ""

    def write(self, folder: Path) -> None:
        """Write the manifest into a stage's folder."""
        write_json(folder / MANIFEST, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """The manifest of a finished stage; None where the stage has not finished."""
        path = folder / MANIFEST
        if not path.is_file():
            return None
        known = {one.name for one in fields(cls)}  # Another version may have had other fields.
        return cls(**{name: value for name, value in read_json(path).items() if name in known})


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of an `.npz` file by name; closed also where numpy fails, without pickle."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        yield content


class Named(Protocol):
    """An item with a file name for its results."""

    @property
    def file_stem(self) -> str:
        """The name, safe for a file."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Class activation maps of one image's tags."""

    labels: UInt16[np.ndarray, " n"]
    """Mask values 1…C of the tags."""
    maps: Float16[np.ndarray, "n h w"]
    """In [0, 1], at a quarter of the image's size."""
    size: tuple[int, int]
    """Height and width of the image in pixels."""


class Store:
    """A folder with one file an item."""

    suffix: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, item: Named) -> Path:
        """The file of an item, whether or not it exists."""
        return self.folder / f"{item.file_stem}{self.suffix}"

    def has(self, item: Named) -> bool:
        """Whether the file of an item was written."""
        return self.path(item).is_file()


class SeedStore(Store):
    """A folder of seeds: `<id>.npz` with `classes`, `maps`, `size`; no pickle."""

    suffix = ".npz"

    def write(self, item: Named, seeds: Seeds) -> None:
        """Write the seeds of an item."""
        size = np.array(seeds.size, dtype=np.int32)
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, classes=seeds.labels, maps=seeds.maps, size=size)

    def read(self, item: Named) -> Seeds:
        """Read the seeds of an item.

        Raises:
            WsssError: there are no seeds of this item.
            DamagedFileError: they cannot be read.
        """
        if not self.has(item):
            raise user_error(
                self.path(item),
                "no seeds of this image",
                "one file for every image of the localized split",
                "Run the stage `localize` first, with the same settings.",
            )
        path = self.path(item)
        with intact(path), opened(path) as content:
            height, width = (int(side) for side in content["size"])
            return Seeds(content["classes"], content["maps"], (height, width))


class LabelStore(Store):
    """A folder of label masks: `<id>.png`, 8-bit palette PNG in VOC colours."""

    suffix = ".png"

    def write(self, item: Named, labels: UInt8[np.ndarray, "h w"]) -> None:
        """Write a mask: 0 background, 1…C classes, 255 void."""
        picture = Image.fromarray(labels, mode=None).convert("L")
        picture.putpalette(voc_palette().tobytes())
        with atomic(self.path(item)) as temporary:
            picture.save(temporary, format="PNG", optimize=False)

    def read(self, item: Named) -> UInt8[np.ndarray, "h w"]:
        """Read a mask.

        Raises:
            WsssError: there is no mask of this item.
            DamagedFileError: it cannot be read.
        """
        if not self.has(item):
            raise user_error(
                self.path(item),
                "no label mask of this image",
                "one file for every image of the refined split",
                "Run the stage `refine` first, with the same settings.",
            )
        path = self.path(item)
        with intact(path):
            with Image.open(path) as picture:
                picture.verify()  # Decoding alone compares no checksums of the pixels.
            with Image.open(path) as picture:
                return np.array(picture)


def voc_palette() -> UInt8[np.ndarray, "256 3"]:
    """The colours of PASCAL VOC's masks: bits of the label spread over the colour channels."""
    labels = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for step in range(8):
        for channel in range(3):
            bit = (labels >> (3 * step + channel)) & 1
            palette[:, channel] |= (bit << (7 - step)).astype(np.uint8)
    return palette


def seed_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the seeds of an image of `height` × `width` pixels."""
    return (height - 1) // SEED_STRIDE + 1, (width - 1) // SEED_STRIDE + 1


def file_digest(path: Path) -> str:
    """Hash of a file's content, 16 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _DIGEST).hexdigest()
