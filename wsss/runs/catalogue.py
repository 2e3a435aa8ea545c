"""The folders of stages and audits in a work folder, finished or not, and how they depend."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsss.artifacts import INPUTS, Manifest, read_json
from wsss.errors import user_error
from wsss.files import DamagedFileError
from wsss.report.audit_findings import AUDIT, CACHE, FILE, STATE, audited_stages
from wsss.stage_tools.locks import is_locked
from wsss.stages import CHAIN

Key = tuple[str, str]
"""Name and fingerprint of a stage, such as `("refine", "91ee…")`; audits are listed like one."""
ORDER = (*CHAIN, AUDIT)
"""In which they are listed."""


@dataclass(frozen=True, slots=True)
class StageFolder:
    """A stage's folder `<stage>/<fingerprint>`."""

    folder: Path
    manifest: Manifest | None
    """None of an audit, and of a stage that has not finished or whose manifest is damaged."""
    num_bytes: int
    """On the disk, of all files; one with several links counts for each."""
    changed_s: float
    """When a file in it was last written, in seconds since 1970."""
    locked: bool
    """Whether a run is computing it."""
    inputs: frozenset[Key]
    """The stages that it is computed from."""
    finished: bool

    @property
    def is_audit(self) -> bool:
        """Whether it is an audit: no stage needs one, nor a result of runs."""
        return self.key[0] == AUDIT

    @property
    def lock(self) -> Path:
        """The path whose lock is that of the folder."""
        return self.folder / CACHE if self.is_audit else self.folder

    @property
    def key(self) -> Key:
        """The stage's name and fingerprint."""
        return self.folder.parent.name, self.folder.name

    @property
    def state(self) -> str:
        """`finished`, `running` or `unfinished`."""
        if self.locked:
            return "running"
        return "finished" if self.finished else "unfinished"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All stages' folders of a work folder, by key, in the order of the chain and of time."""

    work_dir: Path
    folders: Mapping[Key, StageFolder]

    def needed_by(self, key: Key) -> list[Key]:
        """The stages that are computed from this one, directly."""
        return [other for other, one in self.folders.items() if key in one.inputs]

    def origins(self, keys: Iterator[Key] | list[Key]) -> set[Key]:
        """These stages, and all that they are computed from, as far as they are there."""
        found: set[Key] = set()
        waiting = [key for key in keys if key in self.folders]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                waiting += [one for one in self.folders[key].inputs if one in self.folders]
        return found


def catalogue(work_dir: Path) -> Catalogue:
    """What is in a work folder.

    Raises:
        WsssError: there is no such folder.
    """
    if not work_dir.is_dir():
        raise user_error(
            work_dir, "no such folder", "the `work_dir` of runs, by default `runs`",
            "Name it: `wsss runs list work_dir=…`.",
        )  # fmt: skip
    places = [
        folder
        for stage in ORDER
        for folder in (work_dir / stage).glob("*/")
        if folder.is_dir() and not folder.is_symlink()
    ]
    found = [_stage_folder(folder.absolute()) for folder in places]
    found.sort(key=lambda one: (ORDER.index(one.key[0]), one.changed_s, one.key))
    return Catalogue(work_dir.absolute(), {one.key: one for one in found})


def _stage_folder(folder: Path) -> StageFolder:
    is_audit = folder.parent.name == AUDIT
    manifest = None
    with suppress(
        DamagedFileError, TypeError
    ):  # A repair, or another version, has it written anew.
        manifest = Manifest.read(folder)
    num_bytes, changed_s = 0, folder.stat().st_mtime
    for status in _files(folder):
        num_bytes += status.st_size
        changed_s = max(changed_s, status.st_mtime)
    return StageFolder(
        folder,
        manifest,
        num_bytes,
        changed_s,
        is_locked(folder / CACHE if is_audit else folder),
        _audited(folder) if is_audit else _inputs(folder, manifest),
        _is_finished_audit(folder) if is_audit else manifest is not None,
    )


def _is_finished_audit(folder: Path) -> bool:
    """Whether an audit says so of itself."""
    path = folder / CACHE / STATE
    with suppress(DamagedFileError):
        return path.is_file() and bool(dict(read_json(path)).get("finished"))
    return False


def _audited(folder: Path) -> frozenset[Key]:
    """The stages of the run that an audit is of; none of one that has not finished."""
    with suppress(DamagedFileError, FileNotFoundError):
        return frozenset(audited_stages(read_json(folder / FILE)).items())
    return frozenset()


def _inputs(folder: Path, manifest: Manifest | None) -> frozenset[Key]:
    """The inputs of a stage; of one that has not finished, those that it noted when it began."""
    inputs = manifest.basis.get("inputs", {}) if manifest else {}
    if manifest is None and (folder / INPUTS).is_file():
        with suppress(DamagedFileError):
            inputs = read_json(folder / INPUTS)
    return frozenset((stage, str(name)) for stage, name in inputs.items())


def _files(folder: Path) -> Iterator[os.stat_result]:
    """The status of every file below a folder; those that a run removes meanwhile are left out."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
