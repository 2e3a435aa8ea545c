"""Training curves, from the CSV files of Lightning's logger."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_AXES = ("epoch", "step")


@dataclass(frozen=True, slots=True)
class Curve:
    """The course of one logged quantity."""

    name: str
    """Its column without the task's prefix: `train_loss`."""
    axis: str
    """Unit of the abscissa: finished epochs, or optimizer steps."""
    points: tuple[tuple[float, float], ...]
    """Abscissa and value, ascending; finite."""


@dataclass(frozen=True, slots=True)
class Record:
    """One value in a log file."""

    name: str
    step: int
    epoch: int | None
    value: float


def curves_folder(folder: Path) -> Path:
    """Where a training stage has its curves: of a training in rounds, with its last round."""
    rounds = sorted(folder.glob("round_*"), key=lambda path: int(path.name.rpartition("_")[2]))
    return (rounds[-1] if rounds else folder) / "curves"


def read_curves(folder: Path) -> tuple[Curve, ...]:
    """The curves of a training stage, from `curves/version_*/metrics.csv` in its folder.

    A resumed training has several versions: each replaces the records of earlier ones from its
    first step on.
    """
    merged: list[Record] = []
    for path in sorted(curves_folder(folder).glob("version_*/metrics.csv"), key=_version):
        if records := read_log(path):
            start = min(record.step for record in records)
            merged = [record for record in merged if record.step < start] + records
    names = dict.fromkeys(record.name for record in merged)
    return tuple(_curve(name, [r for r in merged if r.name == name]) for name in names)


def read_log(path: Path) -> list[Record]:
    """All finite values of a log file; other cells are skipped."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Record(name.rpartition("/")[2], int(step), None if epoch is None else int(epoch), value)
            for row in csv.DictReader(stream)
            if (step := _finite(row.get("step"))) is not None
            for epoch in (_finite(row.get("epoch")),)
            for name, cell in row.items()
            if name is not None and name not in _AXES and (value := _finite(cell)) is not None
        ]


def _curve(name: str, records: Sequence[Record]) -> Curve:
    by_step = {record.step: record for record in records}
    ordered = [by_step[step] for step in sorted(by_step)]
    epochs = [record.epoch for record in ordered if record.epoch is not None]
    if len(set(epochs)) == len(ordered):
        points = zip((epoch + 1 for epoch in epochs), (r.value for r in ordered), strict=True)
        return Curve(name, "epoch", tuple(points))
    return Curve(name, "step", tuple((record.step, record.value) for record in ordered))


def _version(path: Path) -> tuple[int, str]:
    digits = re.search(r"\d+$", path.parent.name)
    return (int(digits.group()) if digits else -1, path.parent.name)


def _finite(cell: object) -> float | None:
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
