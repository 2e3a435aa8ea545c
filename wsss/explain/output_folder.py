"""The folder of explanations: names, writing and removal of its files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from wsss.artifacts import atomic, read_json, write_json
from wsss.errors import user_error
from wsss.files import DamagedFileError

DEFAULT_OUTPUT = Path("runs", "explain")
"""A folder of results is in it, named after their fingerprint."""
SHEET = "sheet.png"
SCORES = "scores.json"


def prepare(folder: Path) -> None:
    """Make a folder, or remove an earlier call's files, which its scores name.

    Raises:
        WsssError: the scores are none of this program, or the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in _former(folder / SCORES):
            path.unlink(missing_ok=True)


def write_scores(folder: Path, scores: Mapping[str, Any]) -> None:
    """Write the scores, which name all files of the folder.

    Raises:
        WsssError: the folder cannot be written.
    """
    with writing(folder):
        write_json(folder / SCORES, scores)


def write_picture(path: Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a picture as PNG.

    Raises:
        WsssError: the file cannot be written.
    """
    with writing(path), atomic(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def unique_names(images: Sequence[Path]) -> list[str]:
    """A folder name for each image: its own without the ending, numbered where two have one."""
    names: list[str] = []
    for path in images:
        stem = _plain(path.stem) or "image"
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names


def overlay_name(method: str, class_name: str, index: int) -> str:
    """The file name of a method's map of a class, which no two classes share."""
    first = _plain(class_name.split(",")[0])
    return f"{method}.{index}-{first}.png" if first else f"{method}.{index}.png"


def _plain(text: str) -> str:
    """Text without characters that file names forbid."""
    return re.sub(r"[^\w.-]+", "_", text).strip("_.")[:80]


def _former(scores: Path) -> list[Path]:
    """The files of an earlier call: its pictures, which its scores name, and the scores.

    Raises:
        WsssError: the scores are none of this program.
    """
    if not scores.is_file():
        return []
    try:
        entries = read_json(scores)["images"]
        overlays = [one["overlay"] for entry in entries for one in entry["explanations"]]
        names = [*overlays, *(entry["sheet"] for entry in entries if entry["sheet"] is not None)]
    except (DamagedFileError, KeyError, TypeError) as error:
        raise user_error(
            scores,
            "a file that `wsss explain` did not write",
            "an earlier call's, which is replaced, or none",
            "Choose another folder by `output=…`.",
        ) from error
    return [*(scores.parent / name for name in names), scores]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError while writing into a user error.

    Raises:
        WsssError: instead of an OSError in the block.
    """
    try:
        yield
    except OSError as error:
        raise user_error(
            error.filename or path,
            f"it cannot be written ({error.strerror or type(error).__name__})",
            "a folder that is there or can be made, and room in it",
            "Choose another folder by `output=…`.",
        ) from error
