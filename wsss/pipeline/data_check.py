"""Read the whole data set once, before hours are spent on it."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import fingerprint, read_json, write_json
from wsss.data.data_report import DataReport, Inspection, inspect_item, summarise
from wsss.data.sample import Item
from wsss.data.source import SPLITS, Source
from wsss.errors import Problem, Severity
from wsss.files import DamagedFileError
from wsss.stage_tools.context import Context
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import process_items

log = logging.getLogger(__name__)

VERSION = 1
INSPECTIONS = "inspections.json"


@dataclass(frozen=True, slots=True)
class InspectItem:
    """Reads an image and its mask, and notes their problems."""

    source: Source
    folder: Path

    def path(self, item: Item) -> Path:
        """Where the note on an item is."""
        return self.folder / f"{item.file_stem}.json"

    def __call__(self, item: Item) -> None:
        """Write the note on an item."""
        write_json(self.path(item), asdict(inspect_item(self.source, item)))


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
    """Inspect every image once, on all cores, and keep the notes in the folder."""
    path = folder / INSPECTIONS
    if _readable(path):
        return
    items = {item.file_stem: item for split in SPLITS for item in source.items(split)}
    task = InspectItem(source, folder / "items")
    pending = [(item,) for item in items.values() if not _readable(task.path(item))]
    done = len(items) - len(pending)
    found = process_items(task, pending, workers, folder)
    for _ in track(found, len(items), "check", done):
        pass
    notes = [read_json(task.path(item)) for item in items.values() if task.path(item).is_file()]
    write_json(path, notes)


def _readable(path: Path) -> bool:
    """Whether a note is there; a damaged one is removed, to be written again."""
    try:
        return path.is_file() and bool(read_json(path))
    except DamagedFileError:
        log.warning("%s is damaged: the images are checked again", path)
        path.unlink()
        return False


def report(source: Source, folder: Path, max_failed_fraction: float) -> DataReport:
    """The report of the inspections in the folder.

    It is made anew each time, since rows and files without an image of the data set may have
    changed.
    """
    inspections = [_inspection(note) for note in read_json(folder / INSPECTIONS)]
    return summarise(source, inspections, max_failed_fraction)


def _inspection(note: dict[str, Any]) -> Inspection:
    problems = tuple(
        Problem(**{**problem, "severity": Severity(problem["severity"])})
        for problem in note["problems"]
    )
    return Inspection(**{**note, "problems": problems, "conversions": tuple(note["conversions"])})
