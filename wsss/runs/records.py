"""What the records of runs, in the folders of their logs, tell of their results."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wsss.artifacts import RECORD, RunRecord
from wsss.files import DamagedFileError
from wsss.runs.catalogue import Catalogue, Key
from wsss.stages import GOALS

LOGS = ("logs", "searches")
"""Folders of a work folder that have those of runs' logs below them."""


def recorded_runs(work_dir: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Every record of a run in a work folder, with its folder; damaged ones are left out."""
    for name in LOGS:
        for path in sorted((work_dir / name).rglob(RECORD)):
            with suppress(DamagedFileError, TypeError, AttributeError):  # Or of another version.
                if (record := RunRecord.read(path.parent)) is not None:
                    yield path.parent, record


def results(found: Catalogue) -> list[Key]:
    """The results that runs were made for.

    These are all finished segmenters, bounds, evaluations and reports, and of every recorded run
    that has finished those stages that no other one of its own was computed from. A run whose last
    stage was removed counts no more.

    Args:
        found: all stages.
    """
    goals = {key for key, one in found.folders.items() if one.manifest and key[0] in GOALS}
    for folder, record in recorded_runs(found.work_dir):
        places = record.stage_folders(folder).values()
        stages = [(place.parent.name, place.name) for place in places]
        if stages and stages[-1] in found.folders:
            there = [key for key in stages if key in found.folders]
            goals |= {*there} - {key for one in there for key in found.folders[one].inputs}
    return [key for key in found.folders if key in goals]
