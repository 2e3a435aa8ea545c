"""No table at all: each image lies in a folder that is named after its class."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from wsss.data.sources.folder.image_index import ImageIndex
from wsss.data.sources.folder.tags.tag_table import Request, TagRow, TagTable
from wsss.errors import user_error
from wsss.wording import name_some

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def are_class_folders(index: ImageIndex) -> bool:
    """Whether all images lie in folders, of which there are two or more."""
    return len(index) > 0 and "" not in (names := _folders(index)) and len(names) > 1


def class_folder_table(request: Request) -> TagTable:
    """The folder of each image as its label; images in no folder are left out.

    Raises:
        WsssError: the folders are splits, there are folders in them, or there is none.
    """
    index = request.index
    names = _folders(index)
    if splits := sorted(name for name in names if name.casefold() in _SPLITS):
        raise user_error(
            request.path,
            f"the images are in folders named {name_some(splits)}, which are splits, no classes",
            "one folder a class, like `cat/001.jpg`",
            "Move the images into folders of their classes, and list the ids of each split in "
            "splits/train.txt and splits/val.txt; or write a table of labels.",
        )
    deep = [index.file(item) for item in index if len(PurePosixPath(item).parts) > 2]
    if deep:
        outer, *inner = PurePosixPath(deep[0]).parts[:-1]
        raise user_error(
            request.path,
            f"'{deep[0]}' can be read in two ways: as an image of '{outer}' or of '{inner[-1]}'",
            "one folder a class, like `cat/001.jpg`, without folders in it",
            "Move the images up, or write a table of labels.",
        )
    if not names - {""}:
        raise user_error(
            request.path,
            "no folders with images",
            "one folder a class, like `cat/001.jpg`, or a table of labels",
            "Name the file that holds the labels.",
        )
    rows = [
        TagRow(f"folder {folder}", index.file(item), (folder,))
        for item in index
        if (folder := _folder(item))
    ]
    return TagTable(rows, "no table, the folder of an image is its class")


def _folders(index: Iterable[str]) -> set[str]:
    return {_folder(item) for item in index}


def _folder(item_id: str) -> str:
    """The outermost folder of an id; empty if there is none."""
    return PurePosixPath(item_id).parts[0] if "/" in item_id else ""
