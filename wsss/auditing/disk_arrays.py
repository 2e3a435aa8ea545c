"""Arrays of all images that are too large for memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wsss.artifacts import atomic


def on_disk(
    path: Path, shape: tuple[int, ...], kind: str, rows: Iterable[np.ndarray]
) -> np.ndarray:
    """An array whose rows are written one by one, and read where they are needed.

    Args:
        path: of the file, `.npy`.
        shape: of the array.
        kind: its type, as `|u1`.
        rows: in order.
    """
    with atomic(path) as temporary, temporary.open("wb") as stream:
        header = {"descr": kind, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for row in rows:
            stream.write(np.ascontiguousarray(row, dtype=kind).tobytes())
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found
