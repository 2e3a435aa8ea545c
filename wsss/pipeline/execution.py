"""Running one stage, or finding it finished."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from wsss.artifacts import INPUTS, METRICS, Manifest, read_json, remove_unfinished, write_json
from wsss.machine.devices import device_name
from wsss.machine.memory import return_freed_memory
from wsss.machine.nondeterminism import nondeterministic_operations
from wsss.machine.usage import Usage
from wsss.pipeline.damage import remove_damaged
from wsss.pipeline.stage_order import in_use, stage_module
from wsss.pipeline.versions import commit, versions
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.stage_tools.context import Context
from wsss.stage_tools.locks import locked
from wsss.stage_tools.worker_pool import failures, forget_failures
from wsss.wording import plural

log = logging.getLogger(__name__)

DEVICES = "devices.json"
"""What a stage was computed on until now. It stays beside the manifest, which a repair removes."""
COMPILES = "the dense CRF is compiled first, once on this machine: some twenty seconds"
"""What the first image waits for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a stage in this run."""

    stage: str
    folder: Path
    cached: bool
    manifest: Manifest

    @property
    def key_number(self) -> tuple[str, float] | None:
        """The stage's key number, with its name."""
        name = stage_module(self.stage, self.manifest.config).KEY_NUMBER
        numbers = self.manifest.numbers
        return (name, numbers[name]) if name in numbers else None


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
    if (manifest := _finished(context)) is not None:  # Cached: nothing is locked or written.
        return Outcome(stage, context.folder, True, manifest)
    with locked(context.folder) if context.is_main else nullcontext():
        if (manifest := _finished(context)) is not None:
            return Outcome(stage, context.folder, True, manifest)
        devices: list[str] = []
        if context.is_main:
            context.folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(context.folder)
            remove_damaged(context.folder)
            forget_failures(context.folder)
            log.info("%s → %s", stage, context.folder)
            used = in_use(stage_module(stage, config), run.keywords)
            if any(engine.compiles_first() for engine in engines_of(used)):
                log.info("%s: %s", stage, COMPILES)
            write_json(context.folder / INPUTS, basis.get("inputs", {}))
            devices = note_devices(context.folder, devices_of(stage, run, fabric.device, config))
        fabric.barrier()
        start = time.monotonic()
        with Usage(fabric.device).watch() as usage, nondeterministic_operations() as varying:
            numbers = run(context)
            fabric.barrier()
        measured = context.measured
        manifest = Manifest(
            stage=stage,
            fingerprint=context.folder.name,
            config=config,
            basis=basis,
            numbers=numbers,
            failures=failures(context.folder),
            wall_time_s=round(time.monotonic() - start, 2),
            waits_s={what: round(seconds, 2) for what, seconds in measured.seconds.items()},
            slowest=measured.slowest,
            devices=devices,
            nondeterministic=sorted(varying),
            halvings=measured.halvings,
            schedule=measured.schedule,
            peak_memory_mb=round(usage.peak_memory_mb),
            peak_gpu_memory_mb=round(usage.peak_gpu_memory_mb),
            gpu_utilisation=usage.gpu_utilisation and round(usage.gpu_utilisation, 2),
            commit=commit(),
            versions=versions(),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if context.is_main:
            if not (context.folder / METRICS).is_file():
                write_json(context.folder / METRICS, numbers)
            manifest.seal(context.folder)
        fabric.barrier()  # The next stage looks for the manifest on every rank.
        return_freed_memory()
        return Outcome(stage, context.folder, False, manifest)


def _finished(context: Context) -> Manifest | None:
    """The manifest of a stage that has finished, on all processes; None of one that has not."""
    own = Manifest.read(context.folder) if context.is_main else None
    manifest: Manifest | None = context.fabric.broadcast(own)
    if manifest is not None and manifest.halvings and context.is_main:
        log.warning(
            "%s was computed with batches halved %s, for want of memory",
            manifest.stage, plural(manifest.halvings, "time"),
        )  # fmt: skip
    return manifest


def devices_of(
    stage: str, run: Any, device: torch.device, config: Mapping[str, Any] | None = None
) -> list[str]:
    """What a stage computes on: its networks' device, and those of its dense CRFs.

    Args:
        stage: its name.
        run: the stage's function with its settings bound.
        device: of the run.
        config: the stage's settings.
    """
    module = stage_module(stage, config)
    has_networks = getattr(module, "HAS_NETWORKS", True)
    names = [device_name(device)] if has_networks else []
    names += [engine.computes_on() for engine in engines_of(in_use(module, run.keywords))]
    return list(dict.fromkeys(names or ["cpu"]))


def engines_of(settings: Mapping[str, Any]) -> list[DenseCrfEngine]:
    """A stage's dense CRFs, in its settings `crf`, `method.engine` or `relabel.method.engine`."""
    methods = (getattr(value, "method", value) for value in settings.values())
    engines = (getattr(method, "engine", method) for method in methods)
    return [engine for engine in engines if isinstance(engine, DenseCrfEngine)]


def note_devices(folder: Path, names: Sequence[str]) -> list[str]:
    """What all attempts at a stage were computed on, this one's included."""
    path = folder / DEVICES
    devices: list[str] = read_json(path) if path.is_file() else []
    devices = list(dict.fromkeys([*devices, *names]))
    write_json(path, devices)
    return devices
