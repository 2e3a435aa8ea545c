"""Runs to be compared, read from what they left."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wsss.artifacts import RECORD, Manifest, RunRecord
from wsss.errors import user_error
from wsss.report.bound import weak_over_bound
from wsss.stage_tools.locks import LEASE, LOCK
from wsss.stages import CHAIN

UNFINISHED, FINISHED = "unfinished", "finished"
LOST = "it left no record: its process was killed, or never started"


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run with its finished stages."""

    name: str
    words: Mapping[str, str] | None = None
    """Values of the settings that its command named; None of a run without a record."""
    status: str = FINISHED
    """`finished`, `failed`, or `unfinished`."""
    problem: str = ""
    """Why it failed."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Of the finished stages, in the order of the chain."""
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    """Resolved settings of the data set; empty where they are not known."""

    @property
    def mark(self) -> str:
        """What stands behind its name where weights that saw masks had a part in it."""
        return next((one.mark for one in self.manifests.values() if one.saw_masks), "")

    @property
    def label(self) -> str:
        """Its name where it is shown."""
        return f"{self.name}{self.mark}"

    def numbers(self, *, with_masks: bool) -> dict[str, float]:
        """Numbers of the stages, as `stage/number`, and weak/bound, as `oracle/weak_over_bound`.

        Args:
            with_masks: of those that read ground truth, else of those that see tags alone.
        """
        by_stage = {stage: manifest.numbers for stage, manifest in self.manifests.items()}
        compared = weak_over_bound(by_stage) if with_masks else ()
        return {
            f"{stage}/{name}": value
            for stage, manifest in self.manifests.items()
            if ("masks" in manifest.basis) == with_masks and stage != "report"
            for name, value in manifest.numbers.items()
            if isinstance(value, int | float)
        } | {f"oracle/{one.name}": one.ratio for one in compared}


def read_sweep(folder: Path, expected: Sequence[Sequence[str]] = ()) -> list[ComparedRun]:
    """The runs whose logs are below a folder.

    Args:
        folder: of a sweep's logs.
        expected: swept words of every run; those that left no record are unfinished.
    """
    runs = [_recorded(path.parent, folder) for path in sorted(folder.rglob(RECORD), key=_order)]
    for words in expected:
        own = values_of(words)
        if not any(own.items() <= (run.words or {}).items() for run in runs):
            runs.append(ComparedRun("–", own, UNFINISHED, LOST))
    return runs


def read_runs(folders: Sequence[Path]) -> list[ComparedRun]:
    """The runs that folders stand for.

    Args:
        folders: of a sweep's logs, of a run's logs, or of a finished stage, which stands for itself
            with the stages that it was computed from.

    Raises:
        WsssError: one is none of these.
    """
    runs: list[ComparedRun] = []
    for folder in folders:
        place = folder.absolute()
        if place.suffix in (LOCK, LEASE):  # `runs/refine/*` names them as well.
            continue
        if Manifest.read(place) is not None:
            runs.append(replace(_traced(place), name=f"{place.parent.name}/{place.name}"))
        elif (place / RECORD).is_file():
            runs.append(_recorded(place, place.parents[1]))
        elif found := read_sweep(place):
            prefix = f"{place.name}/" if len(folders) > 1 else ""
            runs += [replace(run, name=f"{prefix}{run.name}") for run in found]
        else:
            raise user_error(
                folder, "no run here", "the logs of a run or a sweep, such as runs/logs/…, or a "
                "finished stage, such as runs/refine/…", "Correct the path.",
            )  # fmt: skip
    return runs


def values_of(words: Sequence[str]) -> dict[str, str]:
    """Values by setting, of words `key=value`; a removed part is `null`."""
    split = (word.lstrip("+~").partition("=") for word in words)
    return {key: value if sign else "null" for key, sign, value in split}


def _recorded(folder: Path, root: Path) -> ComparedRun:
    record = RunRecord.read(folder)
    if record is None:
        raise FileNotFoundError(folder / RECORD)
    folders = {
        stage: path
        for stage, path in record.stage_folders(folder).items()
        if Manifest.read(path) is not None
    }
    return ComparedRun(
        name=folder.relative_to(root).as_posix(),
        words=values_of(record.words),
        status=record.status,
        problem=record.problem,
        data=record.data,
        **_in_order(folders),
    )


def _traced(folder: Path) -> ComparedRun:
    """A finished stage with those that it was computed from, as far as they are there."""
    found: dict[str, Path] = {}
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        if (manifest := Manifest.read(place)) is not None and manifest.stage not in found:
            found[manifest.stage] = place
            waiting += [folder.parents[1] / name / key for name, key in _inputs(manifest)]
    return ComparedRun("", **_in_order(found))


def _inputs(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield from ((name, str(key)) for name, key in manifest.basis.get("inputs", {}).items())


def _in_order(folders: Mapping[str, Path]) -> dict[str, Any]:
    order = [stage for stage in CHAIN if stage in folders]
    manifests = {stage: Manifest.read(folders[stage]) for stage in order}
    return {"folders": {stage: folders[stage] for stage in order}, "manifests": manifests}


def _order(record: Path) -> list[tuple[int, str]]:
    """Runs 2 and 10 in this order."""
    parts = record.parent.parts
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
