"""Images that are a part of a larger file: read by the code that reads files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from typing import TypeVar

from wsss.errors import WsssError
from wsss.files import StorageError, on_disk

T = TypeVar("T")
IN_MEMORY = Path("/dev/shm")
"""Linux's folder of files in memory."""


def read_embedded(content: bytes, name: str, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file with this content, such as `read_rgb`: the same pixels.

    Some formats are told by packages that take paths alone, so that the content is a file for the
    moment, on a file system in memory where there is one.

    Args:
        content: of the file.
        name: for messages, such as `train-000.tar/cat.jpg`.
        read: takes a path.

    Raises:
        WsssError: as `read` does, about `name`.
        StorageError: there is no room for the file.
    """
    folder = IN_MEMORY if IN_MEMORY.is_dir() else Path(gettempdir())
    with on_disk(folder), NamedTemporaryFile(suffix=Path(name).suffix, dir=folder) as file:
        file.write(content)
        file.flush()
        try:
            return read(Path(file.name))
        except StorageError:
            raise
        except WsssError as error:
            raise WsssError(
                *(replace(one, where=one.where.replace(file.name, name)) for one in error.problems)
            ) from error.__cause__
