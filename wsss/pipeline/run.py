"""From a configuration to a run: data check, stages, tracking."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_fabric import seed_everything
from omegaconf import DictConfig, OmegaConf

from wsss.data.data_report import DataReport
from wsss.data.source import Source
from wsss.errors import Problem, WsssError
from wsss.files import on_disk
from wsss.pipeline import data_check
from wsss.pipeline.check_command import check_folder, ranks_per_node, workers_per_process
from wsss.pipeline.device_choice import described, numerics_of, on_this_machine
from wsss.pipeline.execution import Outcome, run_stage
from wsss.pipeline.fingerprints import Plan, check_inputs, common_basis, make_plans, stage_configs
from wsss.pipeline.launch import launched
from wsss.pipeline.repair import repaired
from wsss.pipeline.stage_order import select, stage_module
from wsss.pipeline.tracking.tracked_run import tracked
from wsss.settings.build import build, build_stage, told_by_setting
from wsss.settings.method_words import spell_out
from wsss.settings.network_strides import fill_in_stride
from wsss.stage_tools.context import Context
from wsss.stage_tools.dead_loaders import dead_loaders_told
from wsss.stage_tools.lock_reach import lock_problems
from wsss.stage_tools.measured import Measured

log = logging.getLogger(__name__)


def run(cfg: DictConfig, in_this_process: bool = False) -> list[Outcome]:
    """Run the chosen stages of a configuration, skipping those that are finished.

    Args:
        cfg: the checked configuration.
        in_this_process: refuse to start further processes with the program of this one.

    Raises:
        WsssError: the data, the configuration or a stage has a problem the user can mend.
    """
    asked_for = cfg.trainer.accelerator
    cfg = on_this_machine(cfg)
    spell_out(cfg)
    fill_in_stride(cfg)
    configs = stage_configs(cfg)
    chosen = select(cfg.stages, configs)
    source: Source = build(cfg.data)
    stages = {}
    for stage in chosen:
        # A second network without weights is the same in every process, whatever else is built.
        seed_everything(cfg.seed, verbose=False)
        stages[stage] = build_stage(cfg, stage)
    trainer: dict[str, Any] = OmegaConf.to_container(cfg.trainer, resolve=True)  # type: ignore[assignment]
    work_dir = Path(cfg.work_dir).absolute()
    with numerics_of(cfg), launched(cfg.trainer, in_this_process) as fabric, on_disk(work_dir):
        seed_everything(cfg.seed, verbose=False)
        if fabric.global_rank == 0:
            log.info(described(cfg, fabric, asked_for))
            if source.described:
                log.info(source.described)
        context = Context(
            source,
            check_folder(cfg, source),
            fabric=fabric,
            trainer=trainer,
            seed=cfg.seed,
            workers=workers_per_process(cfg, fabric.world_size),
            workers_as_needed=cfg.workers is None,
            keep_images_mib=cfg.keep_images_mib // ranks_per_node(cfg, fabric.world_size),
            settings={stage: run.keywords for stage, run in stages.items()},
            max_failed_fraction=cfg.max_failed_fraction,
        )
        # Checks come before anything that takes hours.
        report = check_usable(context)
        shared = common_basis(cfg.seed, trainer, report.unusable, cfg.tf32)
        for problem in lock_problems(work_dir) if context.is_main else ():
            log.warning("%s: %s", problem.severity, problem)
        with told_by_setting(cfg):
            plans = fabric.broadcast(make_plans(configs, chosen, work_dir, shared, source))
        check_inputs(plans, chosen)
        context = replace(
            context, unusable=report.unusable, sizes=report.sizes, masked=report.masked
        )
        contexts = {stage: stage_context(context, plans, stage) for stage in chosen}
        check_stages(cfg, configs, stages, contexts, plans)
        with tracked(cfg, configs, plans, chosen, context) as tracking:

            def run_one(stage: str) -> Outcome:
                own = replace(
                    contexts[stage],
                    loggers=tracking.curves(plans[stage].folder),
                    measured=Measured(),
                )
                with on_disk(own.folder), dead_loaders_told(stage), told_by_setting(cfg, stage):
                    basis = plans[stage].basis
                    outcome = run_stage(stage, stages[stage], own, configs[stage], basis)
                tracking.stage(outcome, own)
                return outcome

            outcomes = repaired(run_one, chosen, plans, fabric.world_size)
    return outcomes


def check_usable(context: Context) -> DataReport:
    """Check the data set, and log problems that do not break a run.

    Raises:
        WsssError: it would break a run.
    """
    report = data_check.run(context)
    if report.failed:
        raise WsssError(*report.blocking)
    if context.is_main:
        for problem in report.problems:
            log.warning("%s: %s", problem.severity, problem)
    return report


def stage_context(context: Context, plans: Mapping[str, Plan], stage: str) -> Context:
    """The context of a stage: that of the run, with the stage's own folder and inputs."""
    plan = plans[stage]
    inputs = {name: plans[name].folder for name in plan.inputs}
    return replace(context, folder=plan.folder, inputs=inputs)


def check_stages(
    cfg: DictConfig,
    configs: Mapping[str, Mapping[str, Any]],
    stages: Mapping[str, Any],
    contexts: Mapping[str, Context],
    plans: Mapping[str, Plan],
) -> None:
    """Check the settings of every stage that will run.

    Raises:
        WsssError: has the problems of all of them.
    """
    problems: list[Problem] = []
    for stage, run in stages.items():
        module = stage_module(stage, configs[stage])
        check: Callable[..., None] | None = getattr(module, "check", None)
        if check is not None and not plans[stage].finished:
            try:
                with told_by_setting(cfg, stage):
                    check(contexts[stage], **run.keywords)
            except WsssError as error:
                problems += error.problems
    if problems:
        raise WsssError(*dict.fromkeys(problems))
