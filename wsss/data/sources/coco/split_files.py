"""Where the files of COCO are, and where they are had."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsss.errors import InvalidOptionError
from wsss.wording import did_you_mean

_HOME = "images.cocodataset.org"
_ARCHIVES = {
    "train2014": ("zips/train2014.zip (13 GB)", "annotations/annotations_trainval2014.zip"),
    "val2014": ("zips/val2014.zip (6 GB)", "annotations/annotations_trainval2014.zip"),
    "train2017": ("zips/train2017.zip (18 GB)", "annotations/annotations_trainval2017.zip"),
    "val2017": ("zips/val2017.zip (1 GB)", "annotations/annotations_trainval2017.zip"),
}
"""Archives of images and of annotations at COCO's own address, by the name of a split."""


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """The files of a split."""

    instances: Path
    """The JSON file of its instances."""
    images: Path
    """The folder of its images."""
    archive: str
    """What its images are extracted from."""


def split_files(root: Path, names: Mapping[str, str]) -> dict[str, SplitFiles]:
    """The files of each split.

    Args:
        root: folder of the data set.
        names: what each split is called in it.

    Raises:
        InvalidOptionError: some are missing; it names them, and the archives that hold them.
    """
    found = {split: _files(root, name) for split, name in names.items()}
    missing = dict(
        lack for split, name in names.items() for lack in _missing(root, name, found[split])
    )
    if not missing:
        return found
    came = "no such folder" if not root.is_dir() else f"there is no {' and no '.join(missing)}"
    siblings = [one.name for one in root.parent.glob("*/")] if not root.exists() else []
    raise InvalidOptionError(
        "root",
        root,
        f"what these hold, extracted there: {', '.join(dict.fromkeys(missing.values()))}",
        came + did_you_mean(root.name, siblings),
        "Fetch and extract them, or name the folder that holds annotations/.",
    )


def _files(root: Path, name: str) -> SplitFiles:
    folders = root / name, root / "images" / name
    folder = next((one for one in folders if one.is_dir()), folders[0])
    images, _ = _archives(name)
    return SplitFiles(root / "annotations" / f"instances_{name}.json", folder, images)


def _missing(root: Path, name: str, files: SplitFiles) -> Iterator[tuple[str, str]]:
    """What of a split is missing, and where it is had."""
    images, annotations = _archives(name)
    if not files.instances.is_file():
        yield str(files.instances.relative_to(root)), annotations
    if not files.images.is_dir():
        yield f"{name}/", images


def _archives(name: str) -> tuple[str, str]:
    """Archives of images and annotations of a split."""
    known = _ARCHIVES.get(name)
    if known is None:
        return f"the images of {name}", f"the instances of {name}"
    images, annotations = (f"{_HOME}/{path}" for path in known)
    return images, annotations
