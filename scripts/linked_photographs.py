"""A part of a data set of photographs, as links: what benchmarks run on."""

from collections.abc import Sequence
from pathlib import Path

from wsss.data.sources.lists import HEADER, SEPARATOR, Row


def linked(root: Path, rows: Sequence[Row], folder: Path) -> Path:
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
    lines = [",".join(HEADER), *(f"{row.image},{SEPARATOR.join(row.labels)}" for row in rows)]
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder
