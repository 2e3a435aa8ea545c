"""JSON files: written whole, and read if they are as they were written."""

import json
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


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DamagedFileError: it is none, or not the one that its stage wrote.
    """
    with as_written(path):
        return json.loads(path.read_text(encoding="utf-8"))
