"""Confusion matrices of an evaluation: a file of counts."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from wsss.artifacts import as_written, atomic, opened

CONFUSIONS = "confusions.npz"

Counts = Int64[np.ndarray, "c1 c2"]
"""Pixels by true label (row) and predicted label; the last column counts those without one."""


def write_confusions(path: Path, matrices: Mapping[str, Counts]) -> None:
    """Write the matrix of every subject, int64 [C+1, C+2]."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **matrices)  # type: ignore[arg-type]


def read_confusions(path: Path) -> dict[str, Counts]:
    """The matrix of every subject; none where an earlier version evaluated.

    Raises:
        DamagedFileError: the file cannot be read.
    """
    if not path.is_file():
        return {}
    with as_written(path), opened(path) as content:
        return dict(content)
