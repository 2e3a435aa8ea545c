"""Seeds of other programs: IRN's `.npy` dictionaries, and `.npz` files like this package's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int64

from wsss.artifacts.plain_pickles import read_array_dictionary
from wsss.artifacts.seeds import Seeds, seed_size
from wsss.artifacts.whole_files import opened
from wsss.errors import WsssError, user_error

SUFFIXES = (".npy", ".npz")
MAX_LABEL = 2**16 - 1
"""Of `SeedStore`'s files."""
TOLERANCE = 1e-3
"""How far values may be outside of [0, 1] by rounding; they are clipped."""


def read_given_seeds(path: Path, size: tuple[int, int]) -> Seeds:
    """The seeds of an image, at a quarter of its size, by ascending label.

    `.npy` is the layout of IRN (Ahn et al. 2019) and its many successors: a dictionary of `keys`,
    class indices 0…C-1; `cam` [n, h, w] at a quarter of the image's size, and perhaps `high_res` at
    the whole size, which is read where there is no `cam`. `.npz` is `SeedStore`'s. Maps of another
    size are resized if their aspect is the image's.

    Args:
        path: the file.
        size: height and width of the image in pixels.

    Raises:
        WsssError: the file is damaged or has another layout; its maps are not in [0, 1], or of
            another image's aspect.
    """
    labels, maps = _read_npy(path) if path.suffix == ".npy" else _read_npz(path)
    if not labels.size and not maps.size:  # An empty list has neither type nor shape.
        maps = np.zeros((0, *seed_size(*size)), dtype=np.float32)
    _check_layout(path, labels, maps)
    low, high = (float(maps.min()), float(maps.max())) if maps.size else (0.0, 0.0)
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # NaN is neither.
        raise user_error(
            path,
            f"maps with values from {low:g} to {high:g}",
            "activations in [0, 1]",
            "Set negative values to 0 and divide each map by its maximum, as IRN does.",
        )
    order = np.argsort(labels)
    fitted = [_fitted(path, one, size) for one in maps[order].astype(np.float32).clip(0, 1)]
    shape = (len(labels), *seed_size(*size))
    return Seeds(
        labels[order].astype(np.uint16), np.reshape(fitted, shape).astype(np.float16), size
    )


def check_labels(
    path: Path, seeds: Seeds, tags: Sequence[int], class_names: Sequence[str], extra: bool
) -> None:
    """Refuse seeds that lack a map of a tag, or have one of another class.

    Args:
        path: their file, for the error.
        seeds: of an image.
        tags: the image's, as labels 1…C.
        class_names: of the data set.
        extra: whether maps of other classes are allowed.

    Raises:
        WsssError: names the classes.
    """

    def named(labels: set[int]) -> str:
        names = dict(enumerate(class_names, 1))
        return ", ".join(names.get(label, f"class {label - 1}") for label in sorted(labels))

    found = {int(label) for label in seeds.labels}
    missing, others = {*tags} - found, found - {*tags}
    if missing or (others and not extra):
        raise user_error(
            path,
            f"maps of {named(found) or 'no class'} for an image tagged with "
            f"{named({*tags}) or 'nothing'}",
            "a map of every tag"
            + (", and of no other class" if not extra else "")
            + f"; keys count classes from 0 ({class_names[0]}) to {len(class_names) - 1}",
            "Write the seeds of the image's tags, or correct the tags.",
        )


def _read_npy(path: Path) -> tuple[np.ndarray, np.ndarray]:
    content = read_array_dictionary(path)
    maps = content.get("cam", content.get("high_res"))
    if "keys" not in content or maps is None:
        raise _other_layout(path, content)
    return _labels(path, content["keys"], first=0), maps


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with opened(path) as content:
            if not {"classes", "maps"} <= {*content}:
                raise _other_layout(path, content)
            return _labels(path, content["classes"], first=1), content["maps"]
    except WsssError:
        raise
    except Exception as error:
        raise user_error(
            path, f"it cannot be read ({type(error).__name__}: {error})",
            "an `.npz` file of arrays", "Write it again.",
        ) from error  # fmt: skip


def _labels(path: Path, classes: np.ndarray, first: int) -> Int64[np.ndarray, " n"]:
    """Labels 1…C of classes that are counted from `first`."""
    if not classes.size:
        return np.zeros(0, dtype=np.int64)
    if classes.dtype.kind not in "iu":
        came = f"classes of the type {classes.dtype}"
    elif not first <= classes.min() <= classes.max() < first + MAX_LABEL:
        came = f"classes from {classes.min()} to {classes.max()}"
    else:
        return classes.astype(np.int64) + 1 - first
    raise user_error(
        path, came, f"whole numbers, {first} for the first class",
        "Write the position of each class in the data set's list of classes.",
    )  # fmt: skip


def _other_layout(path: Path, content: Mapping[Any, Any]) -> WsssError:
    return user_error(
        path,
        f"arrays called {', '.join(map(str, content)) or 'nothing'}",
        "`keys` and `cam` (IRN's layout, .npy), or `classes` and `maps` (.npz)",
        "Write the seeds in one of these layouts.",
    )


def _check_layout(path: Path, labels: np.ndarray, maps: np.ndarray) -> None:
    """Refuse arrays that are no maps, one for each label."""
    fits = labels.ndim == 1 and maps.ndim == 3 and len(labels) == len(maps)
    if not fits or maps.dtype.kind != "f" or len({*labels.tolist()}) < len(labels):
        raise user_error(
            path,
            f"{maps.dtype} maps of shape {list(maps.shape)} for keys of shape {list(labels.shape)}",
            "floating-point maps [n, h, w] for n different keys",
            "Write one map for each class.",
        )


def _fitted(
    path: Path, one: Float[np.ndarray, "h w"], size: tuple[int, int]
) -> Float[np.ndarray, "h2 w2"]:
    """A map at the size of seeds."""
    height, width = one.shape
    target = seed_size(*size)
    if (height, width) == target:
        return one
    # Of side lengths that were rounded, each by up to a cell.
    if min(one.shape) == 0 or abs(height * size[1] - width * size[0]) > sum(size):
        raise user_error(
            path,
            f"maps of {width} × {height} for an image of {size[1]} × {size[0]} px",
            f"maps of the image's aspect, best {target[1]} × {target[0]}",
            "Write the maps of this image, of the whole of it, seen upright.",
        )
    shrinks = height > target[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(one, target[::-1], interpolation=way)
