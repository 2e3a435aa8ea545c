"""One tracked run for a run of the pipeline, however often that is started."""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from wsss.artifacts import MANIFEST, Manifest
from wsss.files import NO_ROOM
from wsss.pipeline.execution import Outcome
from wsss.pipeline.fingerprints import Plan
from wsss.pipeline.tracking.curves import LiveCurves, Points, curve_points
from wsss.pipeline.tracking.ledger import Ledger, alone, ledger_path
from wsss.pipeline.tracking.opening import open_trackers
from wsss.pipeline.tracking.overlays import overlays
from wsss.pipeline.tracking.records import Artefact, StageRecord
from wsss.pipeline.tracking.stage_record import stage_record
from wsss.pipeline.tracking.tables import stage_table
from wsss.pipeline.tracking.tracker import Tracker
from wsss.pipeline.versions import commit, versions
from wsss.report.bound import BOUNDS
from wsss.stage_tools.context import Context

log = logging.getLogger(__name__)

CONFIG = "config"
CURVES = "curves of "
STAGES = "stages"
REPORT = "report"
Entry = tuple[Tracker[Any], Ledger]


class TrackedRun:
    """Tells trackers everything once, in the order in which it comes.

    A ledger in the work folder holds what each has been told: the same command after an
    interruption goes on in the same tracked run, and after the end it opens no tracker at all.
    """

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        """Take the trackers with their ledgers; without any, nothing happens."""
        self._entries = entries
        self._started: list[Tracker[Any]] = []
        self._manifests: dict[str, Manifest] = {}

    def config(self, config: Mapping[str, Any]) -> None:
        """Tell the configuration."""
        for entry in self._entries:
            self._once(entry, CONFIG, lambda tracker: tracker.config(config))

    def curves(self, folder: Path) -> list[Logger]:
        """Loggers for a stage about to run, which hand on its curves as they come."""
        if (folder / MANIFEST).is_file():
            return []
        stage = folder.parent.name
        lacking = [entry for entry in self._entries if stage not in entry[1].told]
        known = curve_points(folder) if lacking else {}
        return [
            LiveCurves(entry[0].logger, known, partial(self._begin_curves, entry, stage))
            for entry in lacking
        ]

    def stage(self, outcome: Outcome, context: Context) -> None:
        """Tell of a finished stage; its curves, too, if they were not told as they came."""
        self._manifests[outcome.stage] = outcome.manifest
        lacking = [entry for entry in self._entries if outcome.stage not in entry[1].told]
        if not lacking:
            return
        folders = {**context.inputs, outcome.stage: outcome.folder}
        pictures = overlays(context, outcome.stage, folders)
        points = curve_points(outcome.folder)
        names = {name for values in points.values() for name in values}
        record = stage_record(
            outcome.manifest, outcome.folder, context.source, pictures, names, self._manifests
        )
        for entry in lacking:
            self._begin_curves(entry, outcome.stage, points)
            for artefact in record.artefacts:
                self._once(entry, artefact.name, partial(_tell_artefact, artefact))
            self._once(entry, outcome.stage, lambda tracker: tell(tracker, record))

    def summary(self) -> None:
        """Tell the time and memory of all stages, once the last has finished."""
        table = stage_table(self._manifests)
        for entry in self._entries:
            self._once(entry, STAGES, lambda tracker: tracker.table(STAGES, table))

    def close(self, status: str) -> None:
        """Close the trackers that were told something.

        Args:
            status: `success` or `failed`.
        """
        for tracker in self._started:
            tracker.close(status)
        self._started.clear()

    def _begin_curves(self, entry: Entry, stage: str, points: Points) -> None:
        self._once(entry, f"{CURVES}{stage}", lambda tracker: _tell_curves(tracker, points))

    def _once(self, entry: Entry, what: str, tell_it: Callable[[Tracker[Any]], None]) -> None:
        tracker, ledger = entry
        if ledger.run_id is not None and what in ledger.told:
            return
        if tracker not in self._started:
            with alone(ledger.path):
                tracker.start()
            self._started.append(tracker)
            ledger.begin(tracker.run_id)
            log.info("tracked in %s, run %s", ledger.tracker, tracker.run_id)
        tell_it(tracker)
        ledger.add(what)


def _tell_curves(tracker: Tracker[Any], points: Points) -> None:
    for step, values in points.items():
        tracker.numbers(values, step)


def _tell_artefact(artefact: Artefact, tracker: Tracker[Any]) -> None:
    tracker.artefact(artefact)


def tell(tracker: Tracker[Any], record: StageRecord) -> None:
    """Tell a tracker all of a record but its artefacts, which other stages may have told."""
    if record.numbers:
        tracker.numbers(record.numbers)
    for name, table in record.tables.items():
        tracker.table(name, table)
    for name, confusion in record.confusions.items():
        tracker.confusion(name, confusion)
    for name, pictures in record.pictures.items():
        tracker.pictures(name, pictures)


@contextmanager
def tracked(
    cfg: DictConfig,
    configs: Mapping[str, Mapping[str, Any]],
    plans: Mapping[str, Plan],
    chosen: Sequence[str],
    context: Context,
) -> Iterator[TrackedRun]:
    """The tracked run of a run of the pipeline, closed when the block ends, however it does.

    Only the first process has trackers.

    Args:
        cfg: the configuration.
        configs: settings of the stages that are part of the run.
        plans: the stages' folders.
        chosen: the stages that run, in their order.
        context: data and processes.

    Raises:
        WsssError: a logger's settings are wrong, or its library is not installed.
    """
    if not context.is_main or not cfg.logger or not chosen:
        yield TrackedRun()
        return
    goal = plans[goal_of(chosen)].folder
    name = run_name(context.source.name, configs, cfg.seed, goal.name)
    path = ledger_path(Path(cfg.work_dir).absolute(), goal)
    run = TrackedRun(open_trackers(cfg, name, path))
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    with _full_disk_told_once():
        try:
            run.config({**settings, "commit": commit(), "versions": versions()})
            yield run
            run.summary()
        except BaseException:
            run.close("failed")
            raise
        run.close("success")


@contextmanager
def _full_disk_told_once() -> Iterator[None]:
    """Leave a full disk to the main thread, which meets the error of a tracker's thread as well."""
    show = threading.excepthook

    def unless_full(found: threading.ExceptHookArgs) -> None:
        if getattr(found.exc_value, "errno", None) not in NO_ROOM:
            show(found)

    threading.excepthook = unless_full
    try:
        yield
    finally:
        threading.excepthook = show


def goal_of(chosen: Sequence[str]) -> str:
    """The stage whose result tells one tracked run from another.

    The last, but for the report, which comes of what there is, and the bound, which runs that
    differ in their methods share.
    """
    return ([stage for stage in chosen if stage not in (REPORT, *BOUNDS)] or [*chosen])[-1]


def run_name(
    data: str, configs: Mapping[str, Mapping[str, Any]], seed: int, fingerprint: str
) -> str:
    """A name that tells runs apart at a glance: data, methods, seed, and result.

    Example:
        >>> run_name("pets", {"localize": {"method": {"_target_": "a.CAM"}}}, 0, "0123456789ab")
        'pets-CAM-seed0-01234567'
    """
    methods = (configs[stage].get("method") for stage in ("localize", "refine") if stage in configs)
    words = [
        str(method["_target_"]).rpartition(".")[2] if isinstance(method, Mapping) else "given"
        for method in methods
    ]
    parts = (data, *words, f"seed{seed}", fingerprint[:8])
    return "-".join(re.sub(r"[^\w.]+", "_", part) for part in parts)
