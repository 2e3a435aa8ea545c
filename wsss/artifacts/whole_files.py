"""Files that are written whole or not at all, and read without running anything in them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import numpy as np

from wsss.files import on_disk
from wsss.machine.ending import ending_held

TEMPORARY = ".{unique}.tmp~{name}"
"""Name of a file until it is complete: another one for each writer, whose machines may be several
with equal process numbers."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block succeeds.

    A process that is asked to end completes the file first.

    Raises:
        StorageError: the disk is full or read-only; nothing is left of the file.
    """
    temporary = path.with_name(TEMPORARY.format(unique=token_hex(4), name=path.name))
    with ending_held(), on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of a killed run; no other process may be writing to `folder`."""
    for path in folder.rglob(TEMPORARY.format(unique="*", name="*")):
        path.unlink()


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of an `.npz` file by name; closed also where numpy fails, without pickle."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        yield content
