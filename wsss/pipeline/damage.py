"""Removal of damaged files, so that their stage computes them anew."""

import logging
from collections.abc import Iterator
from pathlib import Path

from wsss.artifacts import changed_files
from wsss.artifacts.checksums import CHECKSUMS

log = logging.getLogger(__name__)


def remove_damaged(folder: Path) -> None:
    """Remove what is not as it was written from a stage that had finished and is to go on.

    Its checksums are removed last: killed meanwhile, the stage is looked through again.
    """
    for path in changed_files(folder):
        log.warning("%s is damaged: it is computed anew", path)
        remove_with_item(path, folder)
    (folder / CHECKSUMS).unlink(missing_ok=True)


def remove_with_item(path: Path, folder: Path) -> None:
    """Remove a file of a stage; that of an image with all others that the stage has of the image.

    A stage takes an image for finished by one of its files, the one that is written last.
    """
    for other in [*_of_same_item(path, folder), path]:
        other.unlink(missing_ok=True)


def _of_same_item(path: Path, folder: Path) -> Iterator[Path]:
    if path.parent != folder:
        yield from (one for one in folder.glob("*/**/*") if one.stem == path.stem)
