"""Removing the folders of stages and audits."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsss.artifacts import MANIFEST
from wsss.files import on_disk
from wsss.report.audit_findings import CACHE, STATE
from wsss.runs.catalogue import StageFolder
from wsss.stage_tools.locks import LOCK, if_free
from wsss.stages import CHAIN


def remove(folders: Sequence[StageFolder]) -> Iterator[tuple[StageFolder, bool]]:
    """Remove folders in their order, yielding each with whether it was; a run's is left alone.

    The manifest, or an audit's state, goes first, so that a removal which is killed leaves an
    unfinished stage, and no finished one without its files.

    Raises:
        StorageError: this user may not remove something.
    """
    for one in folders:
        with on_disk(one.folder), if_free(one.lock) as free:
            if free:
                for name in (MANIFEST, f"{CACHE}/{STATE}"):
                    (one.folder / name).unlink(missing_ok=True)
                shutil.rmtree(one.folder)
        yield one, free


def remove_left_locks(work_dir: Path) -> None:
    """Remove the files of locks that nobody holds, of stages whose folders are gone.

    A run that waits for such a file's lock finds it unlinked, and makes it anew.

    Raises:
        StorageError: this user may not remove one.
    """
    for stage in CHAIN:
        for path in (work_dir / stage).glob(f"*{LOCK}"):
            folder = path.with_suffix("")
            with on_disk(folder), if_free(folder) as free:
                if free and not folder.exists():
                    path.unlink(missing_ok=True)
