"""Removing stages' folders."""

import shutil
from collections.abc import Iterator, Sequence

from wsss.artifacts import MANIFEST
from wsss.files import on_disk
from wsss.runs.catalogue import StageFolder
from wsss.stage_tools.locks import if_free


def remove(folders: Sequence[StageFolder]) -> Iterator[tuple[StageFolder, bool]]:
    """Remove folders in their order, yielding each with whether it was; a run's is left alone.

    The manifest goes first, so that a removal which is killed leaves an unfinished stage, and no
    finished one without its files.

    Raises:
        StorageError: this user may not remove something.
    """
    for one in folders:
        with on_disk(one.folder), if_free(one.folder) as free:
            if free:
                (one.folder / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(one.folder)
        yield one, free
