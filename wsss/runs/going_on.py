"""Whether a run is going on in a work folder, whose next stages need what no manifest names yet."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wsss.artifacts import RECORD
from wsss.errors import WsssError, user_error
from wsss.runs.catalogue import Catalogue
from wsss.runs.records import recorded_runs
from wsss.stage_tools.locks import LEASE, LEASE_S, is_locked
from wsss.stages import DATA_CHECK

SETTLED_S = 60
"""A run takes less from its start, its data check or the end of a stage to the next lock."""


def check_idle(found: Catalogue, now_s: float) -> None:
    """Refuse to go on while a run is going on.

    Args:
        found: all stages.
        now_s: seconds since 1970.

    Raises:
        WsssError: names the folder of the stage, data check or log that a run is writing to, or has
            just written to.
    """
    for folder, came in _signs(found, now_s):
        raise _busy(folder, came, now_s)


def _signs(found: Catalogue, now_s: float) -> Iterator[tuple[Path, str]]:
    """Folders that runs write to, or have just written to, and what tells so."""
    for one in found.folders.values():
        if one.locked:
            yield one.folder, "a run is computing this stage"
        if one.finished and not one.is_audit and now_s - one.changed_s < SETTLED_S:
            yield one.folder, "a stage that has just finished: its run may go on"
    checks = (found.work_dir / DATA_CHECK).glob("*")
    for folder in sorted({path.with_suffix("") for path in checks}):
        if is_locked(folder):
            yield folder, "a run is checking its images"
        if _written_lately(folder, now_s):
            yield folder, "a data check that has just finished: its run may go on"
    for folder, record in recorded_runs(found.work_dir):
        if record.status == "unfinished" and _written_lately(folder / RECORD, now_s):
            yield folder, "the log of a run that has just begun"


def _written_lately(path: Path, now_s: float) -> bool:
    with suppress(FileNotFoundError):
        return now_s - path.stat().st_mtime < SETTLED_S
    return False


def _busy(folder: Path, came: str, now_s: float) -> WsssError:
    remedy = "Wait until it ends, or for a minute: what its later stages need is known then."
    lease = folder.with_suffix(LEASE)
    with suppress(FileNotFoundError):
        if now_s - lease.stat().st_mtime > LEASE_S:
            remedy = (
                f"It was not heard of for {(now_s - lease.stat().st_mtime) / 60:.0f} minutes. If "
                f"its machine is gone, remove {lease}."
            )
    return user_error(folder, came, "a work folder in which no run is going on", remedy)
