"""The chain of stages: their order, their fingerprints, and running one only if it must be."""

import logging
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock, Timeout

from wsss.artifacts import (
    MANIFEST,
    METRICS,
    Manifest,
    file_digest,
    fingerprint,
    remove_unfinished,
    write_json,
)
from wsss.data.source import Source
from wsss.errors import inside, user_error
from wsss.machine.memory import return_freed_memory
from wsss.models.weights import HUB_WEIGHTS, PACKAGE_WEIGHTS, weights_file
from wsss.pipeline.versions import PeakMemory, commit, versions
from wsss.runtime.context import Context
from wsss.runtime.items import failures, forget_failures

CHAIN = (
    "classify",
    "reactivate",
    "oppose",
    "localize",
    "affinity",
    "propagate",
    "refine",
    "segment",
    "evaluate",
    "report",
)
"""Every stage in its order; a stage names the ones it needs itself, as `INPUTS`.

Some stages belong to one method. Without settings they are no part of a run.
"""

RUN_TIME_ONLY = frozenset({"checkpoint_every_n_epochs", "device", "max_batch_px"})
"""Settings that stay out of a stage's fingerprint, since they do not change its result.

Another device changes it no more than another machine does, which is not in the fingerprint either.
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a stage in this run."""

    stage: str
    folder: Path
    cached: bool
    manifest: Manifest

    @property
    def key_number(self) -> tuple[str, float] | None:
        """The number that says most about the stage, with its name."""
        name = stage_module(self.stage).KEY_NUMBER
        numbers = self.manifest.numbers
        return (name, numbers[name]) if name in numbers else None


def stage_module(stage: str) -> ModuleType:
    """The module of a stage, which holds its `run` and what the chain must know of it."""
    return import_module(f"wsss.stages.{stage}")


def select(stages: Sequence[str], configured: Container[str] = CHAIN) -> tuple[str, ...]:
    """The chosen stages in the chain's order; those that the run has no settings for are left out.

    Args:
        stages: names of stages.
        configured: the stages that the run has settings for.

    Raises:
        WsssError: a name is no stage, or no chosen stage is part of the run.
    """
    if unknown := [stage for stage in stages if stage not in CHAIN]:
        raise user_error(
            "stages",
            f"no stage is called {', '.join(map(repr, unknown))}",
            f"some of {', '.join(CHAIN)}",
            "Write them as `stages=[localize,refine]`.",
        )
    chosen = tuple(stage for stage in CHAIN if stage in stages and stage in configured)
    if stages and not chosen:
        raise user_error(
            f"stages=[{','.join(stages)}]",
            "a stage that this run's methods do not need",
            "a method that needs it",
            "Choose one: `cam=recam` switches `reactivate` on, `cam=meng` `oppose`, "
            "`refine=affinity` both `affinity` and `propagate`.",
        )
    return chosen


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a stage's results are or will be, and the stages it takes its inputs from."""

    folder: Path
    inputs: tuple[str, ...]
    basis: dict[str, Any]
    """What the folder's fingerprint is the hash of."""

    @property
    def finished(self) -> bool:
        """Whether the stage has finished there."""
        return (self.folder / MANIFEST).is_file()


def plan(
    configs: Mapping[str, dict[str, Any]],
    chosen: Sequence[str],
    work_dir: Path,
    surroundings: dict[str, Any],
    source: Source,
) -> dict[str, Plan]:
    """The fingerprint of every stage, as its folder: same fingerprint, same bytes.

    Inputs that a stage can do without enter only if they are chosen or finished already.

    Args:
        configs: resolved settings of every stage that is part of the run.
        chosen: stages that will run.
        work_dir: parent of the stages' folders.
        surroundings: what else decides a stage's result: seed, precision, unusable images.
        source: the data set.

    Raises:
        WsssError: a weight file does not exist.
    """
    plans: dict[str, Plan] = {}
    for stage in select(CHAIN, configs):
        module = stage_module(stage)
        settings = _that_matter(configs[stage])
        optional = getattr(module, "OPTIONAL_INPUTS", ())
        inputs = tuple(
            name
            for name in module.INPUTS
            if name in plans and (name not in optional or name in chosen or plans[name].finished)
        )
        content = {
            "stage": [stage, module.VERSION],
            "settings": settings,
            "weights": weight_digests({stage: settings}),
            "inputs": {name: plans[name].folder.name for name in inputs},
            "data": {split: source.fingerprint(split) for split in module.SPLITS},
            **surroundings,
        }
        if module.READS_MASKS:
            content["masks"] = {split: source.mask_fingerprint(split) for split in module.SPLITS}
        plans[stage] = Plan(work_dir / stage / fingerprint(content), inputs, content)
    return plans


def _that_matter(settings: Any) -> Any:
    """Settings without those that stay out of a fingerprint, wherever they are."""
    if isinstance(settings, list):
        return [_that_matter(one) for one in settings]
    if not isinstance(settings, dict):
        return settings
    return {k: _that_matter(v) for k, v in settings.items() if k not in RUN_TIME_ONLY}


def check_inputs(plans: Mapping[str, Plan], chosen: Sequence[str]) -> None:
    """Make sure that everything a chosen stage needs is chosen, too, or has finished.

    Raises:
        WsssError: a stage that is needed was never run with these settings.
    """
    for stage in chosen:
        for name in plans[stage].inputs:
            if name not in chosen and not plans[name].finished:
                raise user_error(
                    f"stages=[{stage}]",
                    f"`{stage}` needs `{name}`, which has not finished with these settings",
                    f"a finished `{name}` in {plans[name].folder}",
                    f"Add `{name}` to `stages`, or leave `stages` out to run everything.",
                )


def weight_digests(settings: Any) -> list[str]:
    """Digests of all weight files named in settings, so that a changed file renews the stage.

    Raises:
        WsssError: there is no such file.
    """
    if isinstance(settings, list):
        return [digest for one in settings for digest in weight_digests(one)]
    if not isinstance(settings, dict):
        return []
    digests = []
    for key, one in settings.items():
        with inside(key):
            digests += weight_digests(one)
    weights = settings.get("weights")
    if isinstance(weights, str) and weights not in (HUB_WEIGHTS, PACKAGE_WEIGHTS):
        digests.append(file_digest(weights_file("", weights)))
    return digests


def run_stage(
    stage: str, run: Any, context: Context, config: dict[str, Any], basis: dict[str, Any]
) -> Outcome:
    """Run a stage, or find it finished.

    Rank 0 holds the folder's lock, so that of two runs with the same fingerprint the second waits
    for the first and then finds the stage cached.

    Args:
        stage: its name.
        run: the stage's function with its settings bound.
        context: what the stage gets.
        config: the settings, for the manifest.
        basis: what the fingerprint is the hash of, for the manifest.
    """
    fabric = context.fabric
    with _locked(context.folder, context.is_main):
        manifest = fabric.broadcast(Manifest.read(context.folder) if context.is_main else None)
        if manifest is not None:
            return Outcome(stage, context.folder, True, manifest)
        if context.is_main:
            context.folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(context.folder)
            forget_failures(context.folder)
            log.info("%s → %s", stage, context.folder)
        fabric.barrier()
        start = time.monotonic()
        with PeakMemory().watch() as memory:
            numbers = run(context)
            fabric.barrier()
        manifest = Manifest(
            stage=stage,
            fingerprint=context.folder.name,
            config=config,
            basis=basis,
            numbers=numbers,
            failures=failures(context.folder),
            wall_time_s=round(time.monotonic() - start, 2),
            peak_memory_mb=round(memory.megabytes),
            commit=commit(),
            versions=versions(),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if context.is_main:
            if not (context.folder / METRICS).is_file():
                write_json(context.folder / METRICS, numbers)
            manifest.write(context.folder)
        fabric.barrier()  # The next stage looks for the manifest on every rank.
        return_freed_memory()
        return Outcome(stage, context.folder, False, manifest)


@contextmanager
def _locked(folder: Path, is_main: bool) -> Iterator[None]:
    if not is_main:
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another run that is computing %s", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
