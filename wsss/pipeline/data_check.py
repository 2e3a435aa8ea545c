"""Read the whole data set once, before hours are spent on it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import fingerprint, read_json, write_json
from wsss.data.check import DataReport, Inspection, inspect_item, summarise
from wsss.data.sample import Item
from wsss.data.source import SPLITS, Source
from wsss.errors import Problem, Severity
from wsss.runtime.context import Context
from wsss.runtime.items import process_items
from wsss.runtime.progress import track

VERSION = 1
INSPECTIONS = "inspections.json"


@dataclass(frozen=True, slots=True)
class InspectItem:
    """Reads an image and its mask, and notes what was found."""

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
    """Inspect every image once, on all cores, and report what would break a run.

    The inspections are kept; what they mean for this run is judged afresh each time, since rows and
    files that are no image of the data set may have changed.
    """
    path = context.folder / INSPECTIONS
    if context.is_main and not path.is_file():
        items = {item.file_stem: item for split in SPLITS for item in context.source.items(split)}
        task = InspectItem(context.source, context.folder / "items")
        pending = [(item,) for item in items.values() if not task.path(item).is_file()]
        done = len(items) - len(pending)
        found = process_items(task, pending, context.workers, context.folder)
        for _ in track(found, len(items), "check", done):
            pass
        notes = [read_json(task.path(item)) for item in items.values() if task.path(item).is_file()]
        write_json(path, notes)
    context.fabric.barrier()
    inspections = [_inspection(note) for note in read_json(path)]
    return summarise(context.source, inspections, context.max_failed_fraction)


def _inspection(note: dict[str, Any]) -> Inspection:
    problems = tuple(
        Problem(**{**problem, "severity": Severity(problem["severity"])})
        for problem in note["problems"]
    )
    return Inspection(**{**note, "problems": problems, "conversions": tuple(note["conversions"])})
