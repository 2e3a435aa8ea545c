"""The folder of each stage's results, named by their fingerprint."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import MANIFEST, SAW_MASKS, file_digest, fingerprint, mark_of
from wsss.data.source import Source
from wsss.errors import inside, user_error
from wsss.pipeline.given_files import given_digest
from wsss.pipeline.stage_order import in_use, inputs_of, needed, select, stage_module
from wsss.report.bound import BOUNDS
from wsss.settings.content_digests import code_digests, weight_digests
from wsss.stages import CHAIN

IGNORED = {
    "checkpoint_every_n_epochs": "how much a killed run loses",
    "device": "changes results by rounding alone, as another machine does",
    "compiled": "changes results by rounding alone, like `device`",
    "max_batch_px": "how much memory a batch takes; its images do not see each other",
    "group_px": "how many images a GPU solves together; their bytes do not depend on each other",
    "trainer.accelerator": "changes results by rounding alone, like `device`",
    "trainer.devices": "a batch counts all processes together; changes results by rounding, but "
    "for batch norm on CPUs, which torch does not synchronise: as another seed would",
    "trainer.num_nodes": "like `trainer.devices`",
    "trainer.strategy": "how processes exchange the same gradients",
    "trainer.deterministic": "which kernel computes a sum; changes results by rounding alone",
    "trainer.benchmark": "like `trainer.deterministic`",
    "trainer.detect_anomaly": "what is looked for while training",
    "trainer.profiler": "what is measured while training",
    "trainer.enable_progress_bar": "what is shown while training",
}
"""Settings of stages (by name, at any depth) and of the trainer that do not change a result, with
the reason. All others are in the fingerprint, unknown ones included.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The folder of a stage's results, and the stages of its inputs."""

    folder: Path
    inputs: tuple[str, ...]
    basis: dict[str, Any]
    """Hashed to the folder's fingerprint."""

    @property
    def finished(self) -> bool:
        """Whether the stage has finished there."""
        return (self.folder / MANIFEST).is_file()


def make_plans(
    configs: Mapping[str, dict[str, Any]],
    chosen: Sequence[str],
    work_dir: Path,
    shared: dict[str, Any],
    source: Source,
) -> dict[str, Plan]:
    """The fingerprint of every stage, as its folder: same fingerprint, same bytes.

    Inputs that a stage can do without enter only if they are chosen or finished already.

    Args:
        configs: resolved settings of every stage that is part of the run.
        chosen: stages that will run.
        work_dir: parent of the stages' folders.
        shared: the `common_basis` of all stages.
        source: the data set.

    Raises:
        WsssError: a weight file does not exist.
    """
    plans: dict[str, Plan] = {}
    for stage in select(configured=configs):
        module = stage_module(stage, configs[stage])
        with inside(stage):
            given = given_digest(module, source, configs[stage])
        paths = getattr(module, "GIVEN_PATHS", ())
        used = in_use(module, configs[stage])
        settings = relevant({key: one for key, one in used.items() if key not in paths})
        optional = getattr(module, "OPTIONAL_INPUTS", ())
        inputs = tuple(
            name
            for name in inputs_of(module, configs[stage])
            if name in plans and (name not in optional or name in chosen or plans[name].finished)
        )
        content = {
            "stage": [stage, module.VERSION],
            "settings": settings,
            "weights": weight_digests({stage: settings}),
            **code_digests(settings),
            **given,
            "inputs": {name: plans[name].folder.name for name in inputs},
            "data": {split: source.fingerprint(split) for split in module.SPLITS},
            **shared,
        }
        if beside := _beside(module, work_dir, content):
            content["beside"] = beside
        before = any(plans[name].basis.get(SAW_MASKS) for name in inputs)
        taken = any(mark_of(Path(str(configs[stage][key]))) for key in paths)
        if getattr(module, "SAW_MASKS", False) or before or taken:
            content[SAW_MASKS] = True
        if module.READS_MASKS:
            content["masks"] = {split: source.mask_fingerprint(split) for split in module.SPLITS}
        plans[stage] = Plan(work_dir / stage / fingerprint(content), inputs, content)
    return plans


def _beside(module: ModuleType, work_dir: Path, content: Mapping[str, Any]) -> list[str]:
    """Digests of the files that a stage reads besides its inputs, such as a run's audit."""
    files_beside = getattr(module, "files_beside", None)
    if files_beside is None:
        return []
    found = files_beside(work_dir, content["inputs"], content["data"])
    return [file_digest(path) for path in found]


def common_basis(
    seed: int, trainer: dict[str, Any], unusable: Iterable[str], tf32: bool = False
) -> dict[str, Any]:
    """The part of every stage's basis: seed, trainer, unusable images, and precision."""
    basis = {"seed": seed, "unusable": sorted(unusable), **relevant(trainer, "trainer.")}
    return {**basis, "tf32": True} if tf32 else basis


def relevant(settings: Any, prefix: str = "") -> Any:
    """Settings without those of `IGNORED`, whose names there begin with `prefix`."""
    if isinstance(settings, list):
        return [relevant(one, prefix) for one in settings]
    if not isinstance(settings, dict):
        return settings
    kept = {key: value for key, value in settings.items() if f"{prefix}{key}" not in IGNORED}
    return {key: relevant(value, prefix) for key, value in kept.items()}


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


def stage_configs(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """The resolved settings of every stage that is part of the run, as plain data.

    Stages that lead to nothing but what is given are none, nor are those of the bound unless it is
    asked for; one of these is enough where the run's schedule is the bound's own.

    Settings of a stage that is switched off are ignored: in a sweep over methods,
    `++reactivate.max_epochs=2` reaches only the runs with that stage.
    """
    named = {  # Not resolved: of a stage that is switched off, only what is looked at.
        stage: cfg[stage]
        for stage in CHAIN
        if cfg.get(stage) is not None and "_target_" in cfg[stage]
        if cfg.get("bound") or stage not in BOUNDS
    }
    found: dict[str, dict[str, Any]] = {
        stage: OmegaConf.to_container(cfg[stage], resolve=True)  # type: ignore[misc]
        for stage in needed(named)
    }
    bounds = [{**found[stage], "_target_": ""} for stage in BOUNDS if stage in found]
    if len(bounds) > 1 and bounds[0] == bounds[1]:
        del found[[*BOUNDS][1]]
    return found
