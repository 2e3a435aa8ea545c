"""Errors of files that cannot be read or written."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss.errors import Problem, WsssError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a full disk, and of a user who may have no more of it."""


class StorageError(WsssError):
    """An error of a run's files, which concerns more than one item."""


class DamagedFileError(StorageError):
    """A file that a stage wrote cannot be read any more."""

    def __init__(self, path: Path | str, reason: str = "") -> None:
        """Name the file; `path` is an error's text if torch re-raises it from a loader process."""
        if isinstance(path, str):
            path, _, reason = path.rpartition("DamagedFileError: ")[2].partition(_DAMAGED)
            reason = reason.partition("). Expected")[0]
        self.path = Path(path)
        super().__init__(
            Problem(
                str(path),
                f"{_DAMAGED.lstrip(': ')}{reason})",
                "the file as a stage wrote it",
                "Remove it and the stage's manifest.json, and run the stage again: it computes "
                "what is missing.",
            )
        )


_DAMAGED = ": the file is damaged ("


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Read a file in the block; errors of libraries name the file.

    Raises:
        DamagedFileError: it cannot be read, though it is there.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.filename):
            raise  # An error of opening the file, which names it.
        raise DamagedFileError(path, f"{type(error).__name__}: {error}") from error


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Write below `path` in the block; a full disk raises a StorageError.

    Raises:
        StorageError: there is no room.
    """
    try:
        yield
    except WsssError:
        raise
    except Exception as error:
        # Torch's writer raises an error of its own when it closes a file that is not whole.
        causes = (error, error.__cause__, error.__context__)
        full = [one for one in causes if isinstance(one, OSError) and one.errno in NO_ROOM]
        if not full:
            raise
        raise StorageError(
            Problem(
                str(full[0].filename or path),
                f"it cannot be written: {full[0].strerror}",
                "room on the disk",
                "Make room and run the same command again: what is finished is kept.",
            )
        ) from error
