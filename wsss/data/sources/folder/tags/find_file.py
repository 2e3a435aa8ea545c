"""Where the tags of a folder of images are."""

from itertools import islice
from pathlib import Path, PurePosixPath

from wsss.data.sources.folder.image_index import ImageIndex
from wsss.data.sources.folder.tags.class_folders import are_class_folders
from wsss.errors import InvalidOptionError
from wsss.wording import name_some

LABELS = "labels.csv"
"""The default, which other forms may stand in for."""

_OTHER_FILES = (
    "labels.tsv", "labels.txt", "labels.jsonl", "labels.ndjson", "labels.json", "labels.npy",
    "cls_labels.npy",
)  # fmt: skip
_XML_FOLDER = "Annotations"
_TABLES = ("*.csv", "*.tsv", "*.json", "*.jsonl", "*.ndjson", "*.npy", "*.xlsx")


def find_tags(root: Path, labels: str, index: ImageIndex) -> Path:
    """The file or folder that holds the tags.

    Where the default is missing, another form of it is taken, or the folders of the images if there
    is none.

    Args:
        root: the folder that holds everything.
        labels: name of the file or folder, in `root`.
        index: the images.

    Raises:
        WsssError: there is none, or there are several.
    """
    path = root / labels
    if path.is_file() or path.is_dir():
        return path
    if labels == LABELS:
        found = [root / name for name in _OTHER_FILES if (root / name).is_file()]
        if any((root / _XML_FOLDER).glob("*.xml")):
            found.append(root / _XML_FOLDER)
        if len(found) > 1:
            raise InvalidOptionError(
                "labels",
                labels,
                "one table of labels",
                f"no such file in {root}; there are {name_some([one.name for one in found])}",
                "Name the one that is meant.",
            )
        if found:
            return found[0]
        if not _tables(root) and are_class_folders(index):
            return index.folder
    raise _no_labels(root, labels, index)


def _tables(root: Path) -> list[str]:
    return sorted({file.name for pattern in _TABLES for file in root.glob(pattern)})


def _no_labels(root: Path, labels: str, index: ImageIndex) -> InvalidOptionError:
    """The error for missing tags; it shows an example."""
    tables = _tables(root)
    rows = [
        f"{index.file(item_id)},{PurePosixPath(item_id).parent.name or guess}"
        for item_id, guess in zip(islice(index, 3), ("cat", "cat|dog", ""), strict=False)
    ]
    example = "\n".join(["image,labels", *(rows or ["cats/001.jpg,cat", "002.jpg,cat|dog"])])
    return InvalidOptionError(
        "labels",
        labels,
        "a table with one row an image, its labels separated by `|`",
        f"no such file in {root}" + (f"; there is {name_some(tables)}" if tables else ""),
        "Write it with your own labels, or name the file that has them; with one folder a class, "
        f"name the folder of the images:\n{example}",
    )
