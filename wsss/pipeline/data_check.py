"""Read the whole data set once, before hours are spent on it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import fingerprint, read_json, remove_unfinished, write_checksums, write_json
from wsss.data.data_report import DataReport, Inspection, inspect_item, summarise
from wsss.data.inspection_table import InspectionTable, problem_of
from wsss.data.item_table import joined, select
from wsss.data.sample import Item
from wsss.data.source import SPLITS, Source
from wsss.files import DamagedFileError, on_disk
from wsss.stage_tools.context import Context
from wsss.stage_tools.locks import locked
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import failure_noted, process_items

log = logging.getLogger(__name__)

VERSION = 1
INSPECTIONS = "inspections.npz"
MOST_TOGETHER = 256
"""Images whose notes are one file."""
LEAST_PARTS = 64
"""Such files of a data set, if it has as many images, so that all processes have work."""


@dataclass(frozen=True, slots=True)
class InspectItems:
    """Reads images and their masks, and notes their problems in one file for all."""

    source: Source
    folder: Path

    def path(self, first: Item) -> Path:
        """Where the notes on the items from `first` on are."""
        return self.folder / "parts" / f"{first.file_stem}.json"

    def __call__(self, first: Item, items: Sequence[Item]) -> None:
        """Write the notes on items; what cannot be inspected is noted as a failure."""
        notes = []
        for item in items:
            with failure_noted(self.folder, item):
                notes.append(asdict(inspect_item(self.source, item)))
        write_json(self.path(first), notes)


def data_fingerprint(source: Source) -> str:
    """Hash of everything that the check reads: images, tags and masks of both splits."""
    hashes = [(source.fingerprint(split), source.mask_fingerprint(split)) for split in SPLITS]
    return fingerprint(["check", VERSION, hashes])


def run(context: Context) -> DataReport:
    """The data check in a run, which may have several processes: the first inspects."""
    if context.is_main:
        inspect(context.source, context.folder, context.workers)
    context.fabric.barrier()
    return report(context.source, context.folder, context.max_failed_fraction)


def inspect(source: Source, folder: Path, workers: int) -> None:
    """Inspect every image once, on all cores, and keep the notes in the folder.

    Of runs that start at the same time one inspects, and the others wait for it.
    """
    path = folder / INSPECTIONS
    if _readable(path, InspectionTable.load):
        return
    with on_disk(folder), locked(folder):
        if not _readable(path, InspectionTable.load):
            _inspect(source, folder, workers)


def _inspect(source: Source, folder: Path, workers: int) -> None:
    remove_unfinished(folder)
    items = _unique(joined(*map(source.items, SPLITS)))
    task = InspectItems(source.reader, folder)
    size = min(MOST_TOGETHER, max(1, len(items) // LEAST_PARTS))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    pending = {part[0].id: part for part in parts if not _readable(task.path(part[0]), read_json)}
    calls = ((part[0], [*part]) for part in pending.values())
    done = len(items) - sum(map(len, pending.values()))
    found = process_items(task, calls, workers, folder)
    for _ in track(found, len(items), "check", done, count=lambda first: len(pending[first.id])):
        pass
    paths = (task.path(part[0]) for part in parts)
    notes = (note for one in paths if one.is_file() for note in read_json(one))
    InspectionTable.of(map(_inspection, notes)).save(folder / INSPECTIONS)
    write_checksums(folder)


def _unique(items: Sequence[Item]) -> Sequence[Item]:
    """The items without those whose notes and results have the name of an earlier one's."""
    names: set[str] = set()

    def is_first(item: Item) -> bool:
        number = len(names)
        names.add(item.file_stem)
        return len(names) > number

    return select(items, is_first)


def _readable(path: Path, read: Callable[[Path], Any]) -> bool:
    """Whether a note is there; a damaged one is removed, to be written again."""
    try:
        return path.is_file() and bool(read(path))
    except DamagedFileError:
        log.warning("%s is damaged: the images are checked again", path)
        path.unlink()
        return False


def report(source: Source, folder: Path, max_failed_fraction: float) -> DataReport:
    """The report of the inspections in the folder.

    It is made anew each time, since rows and files without an image of the data set may have
    changed.
    """
    return summarise(source, InspectionTable.load(folder / INSPECTIONS), max_failed_fraction)


def _inspection(note: dict[str, Any]) -> Inspection:
    problems = tuple(map(problem_of, note["problems"]))
    return Inspection(**{**note, "problems": problems, "conversions": tuple(note["conversions"])})
