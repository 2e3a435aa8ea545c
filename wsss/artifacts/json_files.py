"""JSON files: written whole, and read if they are as they were written."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wsss.artifacts.checksums import as_written
from wsss.artifacts.whole_files import atomic


def json_bytes(content: Any) -> bytes:
    """`content` as indented JSON, the bytes of its file."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(json_bytes(content))


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
        DamagedFileError: it is none, or not the one that its stage wrote.
    """
    with as_written(path):
        return json.loads(path.read_text(encoding="utf-8"))
