"""Errors of files that cannot be read or written."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss.errors import Problem, WsssError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a full disk, and of a user who may have no more of it."""
READ_ONLY = (errno.EROFS,)
"""That of a disk to which nothing can be written."""
REFUSED = (errno.EACCES, errno.EPERM)
"""Those of a folder to which this user may not write."""
SHORT_WRITE = re.compile(r"^\d+ requested and \d+ written$")
"""What numpy says of an array for which there is no room; the error has no number."""


class StorageError(WsssError):
    """An error of a run's files, which concerns more than one item."""

    def __init__(self, *problems: Problem | str) -> None:
        """Hold problems; a text is that of an error which torch re-raises from a loader process."""
        super().__init__(*(_from_text(one) if isinstance(one, str) else one for one in problems))


def _from_text(text: str) -> Problem | str:
    """The problem in an error's text, if it is one of `on_disk`."""
    found = _CANNOT_BE_WRITTEN.search(text.rpartition("StorageError: ")[2].strip())
    if found is None:
        return text
    where, came, expected, remedy = found.groups()
    return Problem(where, came, expected, remedy)


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
_CANNOT_BE_WRITTEN = re.compile(
    r"^(.+?): (it cannot be written: .+?)\. Expected (.+?)\. (.+)$", re.DOTALL
)


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
    """Write below `path` in the block; a disk that takes nothing more raises a StorageError.

    Raises:
        StorageError: there is no room, or nothing can be written there.
    """
    try:
        yield
    except WsssError:
        raise
    except Exception as error:
        # Torch's writer raises an error of its own when it closes a file that is not whole.
        causes = [one for one in (error, error.__cause__, error.__context__) if one is not None]
        full = [one for one in causes if isinstance(one, OSError) and _no_room(one)]
        closed = [one for one in causes if isinstance(one, OSError) and _no_entry(one, path)]
        if not full + closed:
            raise
        cause = (full + closed)[0]
        raise StorageError(
            Problem(
                str(cause.filename or path),
                f"it cannot be written: {cause.strerror or os.strerror(errno.ENOSPC)}",
                "room on the disk" if full else "a folder that can be written to",
                f"{'Make room' if full else 'Let it be written to'} and run the same command "
                "again: what is finished is kept.",
            )
        ) from error


def _no_room(error: OSError) -> bool:
    return error.errno in NO_ROOM or (error.errno is None and bool(SHORT_WRITE.match(str(error))))


def _no_entry(error: OSError, path: Path) -> bool:
    """Whether nothing can be written to the disk, or by this user beside or below `path`."""
    if error.errno not in REFUSED or error.filename is None:
        return error.errno in READ_ONLY
    refused = Path(error.filename)
    return refused.parent == path.parent or refused.is_relative_to(path)
