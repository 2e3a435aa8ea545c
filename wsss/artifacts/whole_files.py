"""Files that are written whole or not at all, and read without running anything in them."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from wsss.files import intact, on_disk

TEMPORARY = ".{pid}.tmp~{name}"
"""Name of a file until it is complete."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block succeeds.

    Raises:
        StorageError: the disk is full; nothing is left of the file.
    """
    temporary = path.with_name(TEMPORARY.format(pid=os.getpid(), name=path.name))
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of a killed run; no other process may be writing to `folder`."""
    for path in folder.rglob(TEMPORARY.format(pid="*", name="*")):
        path.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json_rows(path: Path, parts: Mapping[str, Iterable[tuple[str, Any]]]) -> None:
    """`write_json` of a dictionary of dictionaries, whose rows are written one by one.

    Args:
        path: the file.
        parts: by name, the keys and values of each inner dictionary.
    """
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        before = "{"
        for name, rows in parts.items():
            stream.write(f"{before}\n  {json.dumps(name, ensure_ascii=False)}: {{")
            end = "}"
            for key, value in rows:
                row = json.dumps({key: value}, indent=2, ensure_ascii=False)[1:-2]
                stream.write(("," if end != "}" else "") + row.replace("\n", "\n  "))
                end = "\n  }"
            stream.write(end)
            before = ","
        stream.write("\n}\n" if parts else "{}\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DamagedFileError: it is none.
    """
    with intact(path):
        return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of an `.npz` file by name; closed also where numpy fails, without pickle."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        yield content
