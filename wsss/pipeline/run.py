"""From a configuration to a run: data check, stages, tracking."""

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric, seed_everything
from lightning_fabric.strategies.ddp import DDPStrategy
from omegaconf import DictConfig, OmegaConf

from wsss.data.check import DataReport
from wsss.data.source import Source
from wsss.errors import WsssError, user_error
from wsss.pipeline import chain, tracking
from wsss.pipeline import data_check as check
from wsss.pipeline.chain import Outcome
from wsss.runtime.context import Context
from wsss.settings.build import build, build_stage, told_by_setting

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> list[Outcome]:
    """Run the chosen stages of a configuration, skipping those that are finished.

    Raises:
        WsssError: the data, the configuration or a stage has a problem the user can mend.
    """
    configs = stage_configs(cfg)
    chosen = chain.select(cfg.stages, configs)
    source: Source = build(cfg.data)
    stages = {}
    for stage in chosen:
        # A second network without weights is the same in every process, whatever else is built.
        seed_everything(cfg.seed, verbose=False)
        stages[stage] = build_stage(cfg, stage)
    fabric = launch(cfg.trainer)
    seed_everything(cfg.seed, verbose=False)
    work_dir = Path(cfg.work_dir).absolute()
    base = {
        "source": source,
        "fabric": fabric,
        "trainer": OmegaConf.to_container(cfg.trainer, resolve=True),
        "seed": cfg.seed,
        "workers": workers_per_process(cfg, fabric.world_size),
        "max_failed_fraction": cfg.max_failed_fraction,
    }
    # What can be wrong is found from here on, before hours are spent.
    report = check.run(Context(folder=check_folder(cfg, source), **base))
    if report.failed:
        raise WsssError(*report.blocking)
    if fabric.global_rank == 0:
        for problem in report.problems:
            log.warning("%s: %s", problem.severity, problem)
    base |= {
        "unusable": report.unusable,
        "sizes": report.sizes,
        "settings": {stage: run.keywords for stage, run in stages.items()},
    }
    surroundings = {
        "seed": cfg.seed,
        "precision": cfg.trainer.precision,
        "unusable": sorted(report.unusable),
    }
    with told_by_setting(cfg):
        plans = fabric.broadcast(chain.plan(configs, chosen, work_dir, surroundings, source))
    chain.check_inputs(plans, chosen)
    contexts = {
        stage: Context(
            folder=plans[stage].folder,
            inputs={name: plans[name].folder for name in plans[stage].inputs},
            **base,
        )
        for stage in chosen
    }
    for stage in chosen:
        check_stage = getattr(chain.stage_module(stage), "check", None)
        if check_stage is not None and not plans[stage].finished:
            with told_by_setting(cfg, stage):
                check_stage(contexts[stage], **stages[stage].keywords)
    loggers = [build(node) for node in cfg.logger.values()] if fabric.global_rank == 0 else []
    tracking.log_config(loggers, OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    outcomes = []
    for stage in chosen:
        contexts[stage].loggers = loggers
        with told_by_setting(cfg, stage):
            outcome = chain.run_stage(
                stage, stages[stage], contexts[stage], configs[stage], plans[stage].basis
            )
        tracking.log_stage(loggers, stage, outcome.folder, outcome.cached)
        outcomes.append(outcome)
    tracking.finish(loggers)
    return outcomes


def launch(trainer: DictConfig) -> Fabric:
    """Start the processes of a run (or join them, under torchrun and SLURM) and connect them.

    Every process walks the whole chain; within a stage they share out the work.
    """
    strategy: Any = trainer.strategy
    if strategy == "ddp":
        # Ranks wait for each other at the end of a stage, and for the lock of another run.
        strategy = DDPStrategy(timeout=timedelta(days=7))
    try:
        fabric = Fabric(
            accelerator=trainer.accelerator,
            devices=trainer.devices,
            num_nodes=trainer.num_nodes,
            strategy=strategy,
        )
    except (RuntimeError, ValueError) as error:
        raise user_error(
            f"trainer.accelerator={trainer.accelerator}, trainer.devices={trainer.devices}",
            str(error).splitlines()[0],
            "devices that this machine has",
            "`trainer=cpu` needs none; trainer.devices sets their number.",
        ) from error
    fabric.launch()
    return fabric


def workers_per_process(cfg: DictConfig, ranks: int = 1) -> int:
    """Loader and CRF processes of one rank: as configured, or this node's cores shared out."""
    if cfg.workers is not None:
        return int(cfg.workers)
    ranks_per_node = max(1, ranks // int(cfg.trainer.num_nodes))
    return max(1, len(os.sched_getaffinity(0)) // ranks_per_node)


def stage_configs(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """The resolved settings of every stage that is part of the run, as plain data.

    A stage that is switched off may have settings, but nothing that they are for: in a sweep over
    methods, `++reactivate.max_epochs=2` reaches only the runs that have the stage.
    """
    return {
        stage: OmegaConf.to_container(cfg[stage], resolve=True)  # type: ignore[misc]
        for stage in chain.CHAIN
        if cfg.get(stage) is not None and "_target_" in cfg[stage]
    }


def check_folder(cfg: DictConfig, source: Source) -> Path:
    """Where the data check of a source keeps what it found."""
    return Path(cfg.work_dir).absolute() / "check" / check.data_fingerprint(source)


def check_data(cfg: DictConfig) -> DataReport:
    """Check the data set of a configuration, and its weight files, without running anything.

    Raises:
        WsssError: there is no data set to check, or a weight file is missing.
    """
    with told_by_setting(cfg):
        chain.weight_digests(stage_configs(cfg))
    source: Source = build(cfg.data)
    context = Context(
        source,
        check_folder(cfg, source),
        workers=workers_per_process(cfg),
        max_failed_fraction=cfg.max_failed_fraction,
    )
    return check.run(context)
