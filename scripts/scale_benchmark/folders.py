"""Folders with many files, and the same files in 256 folders."""

import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from wsss.artifacts import LabelStore
from wsss.data.sample import Item

MASK = np.zeros((48, 48), dtype=np.uint8)


def flat(folder: Path, _: Item) -> LabelStore:
    """As results are stored."""
    return LabelStore(folder)


def sharded(folder: Path, item: Item) -> LabelStore:
    """By the first two digits of a hash of the name."""
    return LabelStore(folder / blake2b(item.file_stem.encode(), digest_size=1).hexdigest())


def operations(
    folder: Path, count: int, store_of: Callable[[Path, Item], LabelStore]
) -> dict[str, Any]:
    """Microseconds of CPU and wall time a mask, for each operation on `count` masks."""
    items = [Item(f"{number:06d}", (1,)) for number in range(count)]

    def each(operation: Callable[[LabelStore, Item], object]) -> Callable[[], object]:
        return lambda: [operation(store_of(folder, item), item) for item in items]

    def listed() -> Iterable[Path]:
        return sorted(folder.rglob("*.png"))

    steps: dict[str, Callable[[], object]] = {
        "write": each(lambda store, item: store.write(item, MASK)),
        "is it there": each(LabelStore.has),
        "read": each(LabelStore.read),
        "list": listed,
    }
    found: dict[str, Any] = {"files": count}
    for name, step in steps.items():
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        found[name] = {
            "cpu_us": round(1e6 * (time.process_time() - cpu) / count, 2),
            "wall_us": round(1e6 * (time.perf_counter() - wall) / count, 2),
        }
    return found
