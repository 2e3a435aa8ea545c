"""The folder of predictions: what is where, and whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import LabelStore, read_json, write_json
from wsss.artifacts.whole_files import TEMPORARY
from wsss.data.sample import Item
from wsss.errors import user_error
from wsss.predict.notes import NoteStore
from wsss.stage_tools.locks import LEASE, LOCK
from wsss.wording import name_some

REQUEST = "request.json"
"""What the predictions of a folder follow from."""


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """Places of results, and which images have them."""

    root: Path
    overlays: bool = True
    """Whether overlays are asked for."""
    probabilities: bool = False
    """Whether probabilities are asked for."""

    @property
    def masks(self) -> LabelStore:
        """The predicted masks."""
        return LabelStore(self.root / "masks")

    @property
    def areas(self) -> NoteStore:
        """Notes of labels and their areas, each written after everything else of its image."""
        return NoteStore(self.root / "notes" / "areas")

    @property
    def segments(self) -> NoteStore:
        """Notes of COCO's annotations."""
        return NoteStore(self.root / "notes" / "coco")

    @property
    def tags(self) -> NoteStore:
        """Notes of a classifier's probabilities."""
        return NoteStore(self.root / "notes" / "tags")

    def overlay(self, item: Item) -> Path:
        """The overlay of an image."""
        return self.root / "overlays" / f"{item.file_stem}.jpg"

    def probability_file(self, item: Item) -> Path:
        """The probabilities of an image."""
        return self.root / "probabilities" / f"{item.file_stem}.npz"

    def has(self, item: Item) -> bool:
        """Whether an image has all that is asked for and follows from the network's output."""
        return (
            self.areas.has(item)
            and self.masks.has(item)
            and (not self.overlays or self.overlay(item).is_file())
            and (not self.probabilities or self.probability_file(item).is_file())
        )


def claim(root: Path, request: Mapping[str, Any]) -> None:
    """Note what the predictions in a folder follow from, or find that it is the same.

    Args:
        root: the folder.
        request: segmenter, settings and images, as plain JSON.

    Raises:
        WsssError: the folder holds predictions of others, or other files.
    """
    path = root / REQUEST
    if not path.is_file():
        _check_empty(root)
        write_json(path, request)
        return
    before = read_json(path)
    if different := [name for name in request if before.get(name) != request[name]]:
        shown = [
            f"{name} {before.get(name)}, now {request[name]}"
            for name in different
            if not isinstance(request[name], list | dict)
        ]
        others = [f"other {name}" for name in different if isinstance(request[name], list | dict)]
        raise user_error(
            root,
            f"a folder of predictions with {', '.join([*shown, *others])}",
            "predictions of the same segmenter, settings and images, which are completed",
            "Choose another folder by `output=…`, or remove this one.",
        )


def _check_empty(root: Path) -> None:
    """Refuse a folder with files that this command did not write.

    Raises:
        WsssError: names some.
    """
    own = TEMPORARY.format(unique="*", name=REQUEST)
    others = [
        one.name for one in root.iterdir() if one.suffix not in (LOCK, LEASE) and not one.match(own)
    ]
    if others:
        raise user_error(
            root,
            f"a folder with files that `wsss predict` did not write: {name_some(sorted(others))}",
            "an empty folder, a new one, or one of the same predictions, which are completed",
            "Choose another folder by `output=…`.",
        )
