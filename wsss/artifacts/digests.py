"""Hashes of settings and files, which name the folders of results."""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

_DIGEST = partial(hashlib.blake2b, digest_size=8)


def fingerprint(content: Any) -> str:
    """Hash of plain data (dicts, lists, strings, numbers), 16 hex digits, stable across runs."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return _DIGEST(canonical.encode()).hexdigest()


def content_digest(content: bytes) -> str:
    """Hash of bytes, 16 hex digits; that of a file with this content."""
    return _DIGEST(content).hexdigest()


def file_digest(path: Path) -> str:
    """Hash of a file's content, 16 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _DIGEST).hexdigest()
