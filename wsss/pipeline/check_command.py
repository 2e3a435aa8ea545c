"""The data check of a configuration, as `wsss check` asks for it; without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wsss.data.data_report import DataReport
from wsss.data.source import Source
from wsss.errors import Problem, WsssError
from wsss.machine.cores import usable_cores
from wsss.pipeline import data_check
from wsss.pipeline.fingerprints import stage_configs
from wsss.pipeline.stage_order import is_given, stage_module
from wsss.settings.build import build, build_stage, told_by_setting
from wsss.settings.content_digests import weight_digests
from wsss.stage_tools.context import Context
from wsss.stages import DATA_CHECK


def check_data(cfg: DictConfig) -> DataReport:
    """Check the data set of a configuration, its weight files, and what is given, running nothing.

    Raises:
        WsssError: there is no data set to check, or a weight file is missing.
    """
    configs = stage_configs(cfg)
    with told_by_setting(cfg):
        weight_digests(configs)
    source: Source = build(cfg.data)
    folder = check_folder(cfg, source)
    data_check.inspect(source, folder, workers_per_process(cfg))
    report = data_check.report(source, folder, cfg.max_failed_fraction)
    problems = _problems_of_given(cfg, configs, source, report)
    return replace(report, problems=(*problems, *report.problems))


def _problems_of_given(
    cfg: DictConfig, configs: Mapping[str, Mapping[str, Any]], source: Source, report: DataReport
) -> Iterator[Problem]:
    """What the checks of given classifiers, seeds and masks find."""
    for stage, settings in configs.items():
        if is_given(stage, settings):
            context = Context(
                source, Path(cfg.work_dir, stage, "check"), unusable=report.unusable,
                sizes=report.sizes, max_failed_fraction=cfg.max_failed_fraction,
            )  # fmt: skip
            try:
                with told_by_setting(cfg, stage):
                    stage_module(stage, settings).check(context, **build_stage(cfg, stage).keywords)
            except WsssError as error:
                yield from error.problems


def check_folder(cfg: DictConfig, source: Source) -> Path:
    """Folder of the notes of a source's data check."""
    folder = Path(cfg.work_dir).absolute() / DATA_CHECK
    source.keep_index(folder / "index")
    return folder / data_check.data_fingerprint(source)


def workers_per_process(cfg: DictConfig, ranks: int = 1) -> int:
    """Loader and CRF processes of one rank: as configured, or this node's cores shared out."""
    if cfg.workers is not None:
        return int(cfg.workers)
    return max(1, usable_cores() // ranks_per_node(cfg, ranks))


def ranks_per_node(cfg: DictConfig, ranks: int) -> int:
    """Processes that share the cores and the memory of a node."""
    return max(1, ranks // max(1, int(cfg.trainer.num_nodes)))
