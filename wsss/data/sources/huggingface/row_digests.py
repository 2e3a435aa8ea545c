"""Digests of all images in a column of tables, kept from one run to the next."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsss.artifacts import atomic, opened
from wsss.data.sources.file_digests import DIGEST_BYTES, NO_DIGEST, is_settled, state_of
from wsss.data.sources.huggingface.tables import names_files, samples_of
from wsss.files import intact

OTHERS = {bytes(DIGEST_BYTES): NO_DIGEST, b"\xff" * DIGEST_BYTES: b"unreadable"}
"""What stands for the samples of no image, and of a file that cannot be read."""


@dataclass(slots=True)
class RowDigests:
    """The `sample` of every row's image, of one table after the other."""

    digests: bytearray = field(default_factory=bytearray)

    @classmethod
    def of(cls, samples: Iterable[bytes]) -> "RowDigests":
        """Those of all rows."""
        stand_in = {other: digest for digest, other in OTHERS.items()}
        found = cls()
        for one in samples:
            found.digests += stand_in.get(one, one)
        return found

    def of_rows(self, rows: Iterable[int]) -> Iterator[bytes]:
        """Those of some rows; `NO_DIGEST` where there is no image."""
        for row in rows:
            digest = bytes(self.digests[DIGEST_BYTES * row : DIGEST_BYTES * (row + 1)])
            yield OTHERS.get(digest, digest)


Columns = Mapping[str, RowDigests]
"""Digests by the name of the column."""


def row_digests(tables: Iterable[Any], names: Iterable[str], path: Path | None = None) -> Columns:
    """Digests of the images in columns of tables, from a file if it knows them.

    The file holds as long as the tables' own files have the same path, size, and times of the last
    change of content and of attributes. Images in files that a table names are looked at each time.

    Args:
        tables: one after the other.
        names: of the columns.
        path: an `.npz` file; None keeps nothing.
    """
    tables, names = [*tables], [*names]
    states = None if path is None else _states(tables)
    if path is not None and states is not None and (known := _loaded(path, states, names)):
        return known
    found = {
        name: RowDigests.of(one for table in tables for one in samples_of(table, name))
        for name in names
    }
    outside = any(names_files(table, name) for table in tables for name in names)
    if path is not None and states is not None and not outside:
        words = np.frombuffer(json.dumps([states, names]).encode(), dtype=np.uint8)
        columns = [np.frombuffer(found[name].digests, dtype=np.uint8) for name in names]
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, words=words, digests=np.stack(columns))
    return found


def _states(tables: Iterable[Any]) -> list[list[Any]] | None:
    """Paths and states of the files of tables; None if one may change unnoticed."""
    found: list[list[Any]] = []
    for table in tables:
        files = [one["filename"] for one in table.cache_files]
        states = [state_of(file) for file in files]
        if not files or not all(state is not None and is_settled(state) for state in states):
            return None
        found += [[file, *(state or ())] for file, state in zip(files, states, strict=True)]
    return found


def _loaded(path: Path, states: list[list[Any]], names: list[str]) -> Columns | None:
    """What a file knows of tables in these states; one that is damaged or missing knows nothing."""
    if not path.is_file():
        return None
    try:
        with intact(path), opened(path) as content:
            if json.loads(content["words"].tobytes()) != [states, names]:
                return None
            columns = zip(names, content["digests"], strict=True)
            return {name: RowDigests(bytearray(one.tobytes())) for name, one in columns}
    except Exception:  # An index is no result: it is made again, whatever is wrong with it.
        return None
