"""What is known of all shards of a data set, kept from one run to the next."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsss.artifacts import atomic, opened
from wsss.data.sources.file_digests import State, is_settled, state_of
from wsss.data.sources.webdataset.sample_table import SampleTable
from wsss.data.sources.webdataset.shard import Endings, read_shard
from wsss.errors import user_error
from wsss.files import intact

Shards = dict[str, tuple[State, range]]
"""State of each shard by its path, and the rows of its samples."""


class ShardIndex:
    """The samples of shards, of which those alone are read that have changed.

    A shard is known by its path, size, and times of the last change of content and of attributes.
    """

    def __init__(self, endings: Endings, path: Path | None = None) -> None:
        """Take what an `.npz` file knows; None keeps nothing."""
        self.samples = SampleTable()
        self._endings = endings
        self._path = path
        self._keys: set[str] = set()
        self._known, self._known_shards = _loaded(path)
        self._shards: Shards = {}

    def add(self, shard: Path) -> range:
        """Index a shard; returns the rows of its samples.

        Raises:
            WsssError: it cannot be read, or a sample is in another shard, too.
        """
        name, state = str(shard), state_of(shard)
        settled = state is not None and is_settled(state)
        known, rows = self._known_shards.get(name, (None, range(0)))
        is_known = known is not None and known == state
        found = self._known.rows(rows) if is_known else read_shard(shard, self._endings)
        start = len(self.samples)
        for one in found:
            if one.key in self._keys:
                raise user_error(
                    shard, f"the sample '{one.key}' is in another shard, too", "keys that differ",
                    "Give every sample a key of its own; results are named after them.",
                )  # fmt: skip
            self._keys.add(one.key)
            self.samples.append(one)
        own = range(start, len(self.samples))
        if state is not None and (is_known or settled):
            self._shards[name] = state, own
        return own

    def save(self) -> None:
        """Write what is known, if it is not what the file knows."""
        if self._path is None or self._shards == self._known_shards:
            return
        rows = [[name, *state, own.start, own.stop] for name, (state, own) in self._shards.items()]
        shards = np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8)
        with atomic(self._path) as temporary, temporary.open("wb") as stream:
            content: Mapping[str, Any] = self.samples.arrays()
            np.savez(stream, shards=shards, **content)


def _loaded(path: Path | None) -> tuple[SampleTable, Shards]:
    """What a file knows; one that is damaged or missing knows nothing."""
    if path is None or not path.is_file():
        return SampleTable(), {}
    try:
        with intact(path), opened(path) as content:
            rows: Iterable[Any] = json.loads(content["shards"].tobytes())
            shards = {
                name: ((size, changed, touched), range(start, stop))
                for name, size, changed, touched, start, stop in rows
            }
            return SampleTable.from_arrays(content), shards
    except Exception:  # An index is no result: it is made again, whatever is wrong with it.
        return SampleTable(), {}
