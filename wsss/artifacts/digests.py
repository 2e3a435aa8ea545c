"""Hashes of settings and files, which name the folders of results."""

import hashlib
import json
from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

_DIGEST = partial(hashlib.blake2b, digest_size=8)
ROWS = 1000
"""That are in memory at once."""


def fingerprint(content: Any) -> str:
    """Hash of plain data (dicts, lists, strings, numbers), 16 hex digits, stable across runs."""
    return _DIGEST(_canonical(content).encode()).hexdigest()


def fingerprint_of_rows(before: Any, rows: Iterable[Any], after: Any) -> str:
    """`fingerprint([before, [*rows], after])`, without keeping the rows."""
    digest = _DIGEST(f"[{_canonical(before)},[".encode())
    remaining, between = iter(rows), ""
    while some := [*islice(remaining, ROWS)]:
        digest.update(f"{between}{_canonical(some)[1:-1]}".encode())
        between = ","
    digest.update(f"],{_canonical(after)}]".encode())
    return digest.hexdigest()


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def content_digest(content: bytes) -> str:
    """Hash of bytes, 16 hex digits; that of a file with this content."""
    return _DIGEST(content).hexdigest()


def file_digest(path: Path) -> str:
    """Hash of a file's content, 16 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _DIGEST).hexdigest()
