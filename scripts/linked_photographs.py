"""A part of a data set of photographs, as links: what benchmarks run on."""

from collections.abc import Sequence
from pathlib import Path

from wsss.data.images import IMAGE_SUFFIXES
from wsss.data.sources.file_source import walk_names
from wsss.data.sources.folder.image_index import ImageIndex
from wsss.data.sources.folder.tags.read import read_tags
from wsss.data.sources.folder.tags.tag_table import Request, TagRow


def table_rows(root: Path) -> Sequence[TagRow]:
    """The rows of a folder data set's `labels.csv`."""
    index = ImageIndex(root / "images", walk_names(root / "images", IMAGE_SUFFIXES))
    return read_tags(Request(root / "labels.csv", index)).rows


def linked(root: Path, rows: Sequence[TagRow], folder: Path) -> Path:
    """Make a folder data set of the images of some rows of another's table, with their masks.

    Args:
        root: of the other, absolute.
        rows: of its `labels.csv`.
        folder: takes the data set.
    """
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for row in rows:
        mask = Path(row.image).with_suffix(".png").name
        (folder / "images" / row.image).symlink_to(root / "images" / row.image)
        if (root / "masks" / mask).is_file():
            (folder / "masks" / mask).symlink_to(root / "masks" / mask)
    if (root / "classes.txt").is_file():
        (folder / "classes.txt").symlink_to(root / "classes.txt")
    lines = ["image,labels", *(f"{row.image},{'|'.join(row.labels)}" for row in rows)]
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder
