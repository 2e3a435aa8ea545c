"""What each image adds to the scores of an evaluation: a file that intervals are drawn from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from wsss.artifacts import as_written, atomic, opened
from wsss.data.sample import Item
from wsss.metrics.overlaps import overlaps
from wsss.stage_tools.scoring import BOUNDARY, CALIBRATION, CountStore, beside

IMAGE_COUNTS = "image_counts.npz"
IMAGES, OVERLAPS = "images", "overlaps"
"""Arrays of a subject beside `boundary` and `calibration`."""

Entries = Int64[np.ndarray, "m 5"]
"""Image, label, pixels of it in both masks, in the prediction, in the truth; those with any."""


@dataclass(frozen=True, slots=True)
class ImageCounts:
    """The counts of one subject, of n images with ground truth."""

    images: tuple[str, ...]
    """Their ids."""
    overlaps: Entries
    boundary: Entries | None = None
    """The same of the outlines."""
    calibration: Int64[np.ndarray, "n 15 3"] | None = None


def image_counts(
    store: CountStore, items: Iterable[Item], counted_as: Mapping[str, tuple[str, int | None]]
) -> dict[str, ImageCounts]:
    """The counts of every subject, from the files of single images.

    Args:
        store: of these files.
        items: the images; those without ground truth are left out.
        counted_as: of every subject the name of its confusion matrices, and the index where that is
            a stack of them.
    """
    images: dict[str, list[str]] = {name: [] for name in counted_as}
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for item in items:
        counts = store.read(item)
        for name, (key, index) in counted_as.items():
            if key not in counts:
                continue
            matrix = counts[key] if index is None else counts[key][index]
            found.setdefault((name, OVERLAPS), []).append(overlaps(matrix))
            for kind in (BOUNDARY, CALIBRATION):
                if (more := counts.get(beside(name, kind))) is not None:
                    found.setdefault((name, kind), []).append(more)
            images[name].append(item.id)
    return {
        name: ImageCounts(
            tuple(ids),
            sparse(np.stack(found[name, OVERLAPS])),
            sparse(np.stack(found[name, BOUNDARY])) if (name, BOUNDARY) in found else None,
            np.stack(found[name, CALIBRATION]) if (name, CALIBRATION) in found else None,
        )
        for name, ids in images.items()
        if ids
    }


def sparse(every: Int64[np.ndarray, "n c1 3"]) -> Entries:
    """The overlaps of all images, of the labels that either mask shows."""
    image, label = np.nonzero(np.any(every, axis=2))
    return np.column_stack([image, label, every[image, label]]).astype(np.int64)


def dense(entries: Entries, num_images: int, num_labels: int) -> Int64[np.ndarray, "n c1 3"]:
    """The overlaps of every image and label, from those that are not zero."""
    every = np.zeros((num_images, num_labels, 3), dtype=np.int64)
    every[entries[:, 0], entries[:, 1]] = entries[:, 2:]
    return every


def write_image_counts(path: Path, counts: Mapping[str, ImageCounts]) -> None:
    """Write the counts of all subjects, as arrays called `<subject>/<kind>`."""
    arrays: dict[str, np.ndarray] = {}
    for name, one in counts.items():
        arrays[beside(name, IMAGES)] = np.array(one.images, dtype=np.str_)
        arrays[beside(name, OVERLAPS)] = one.overlaps
        for kind, more in ((BOUNDARY, one.boundary), (CALIBRATION, one.calibration)):
            if more is not None:
                arrays[beside(name, kind)] = more
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_image_counts(path: Path) -> dict[str, ImageCounts]:
    """The counts of all subjects; none where an earlier version evaluated.

    Raises:
        DamagedFileError: the file cannot be read.
    """
    if not path.is_file():
        return {}
    with as_written(path), opened(path) as content:
        arrays = dict(content)
    names = [name.removesuffix(f"/{IMAGES}") for name in arrays if name.endswith(f"/{IMAGES}")]
    return {
        name: ImageCounts(
            tuple(arrays[beside(name, IMAGES)].tolist()),
            arrays[beside(name, OVERLAPS)],
            arrays.get(beside(name, BOUNDARY)),
            arrays.get(beside(name, CALIBRATION)),
        )
        for name in names
    }
