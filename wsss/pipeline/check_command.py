"""The data check of a configuration, as `wsss check` asks for it; without torch."""

from pathlib import Path

from omegaconf import DictConfig

from wsss.data.data_report import DataReport
from wsss.data.source import Source
from wsss.machine.cores import usable_cores
from wsss.pipeline import data_check
from wsss.pipeline.fingerprints import stage_configs, weight_digests
from wsss.settings.build import build, told_by_setting


def check_data(cfg: DictConfig) -> DataReport:
    """Check the data set of a configuration, and its weight files, without running anything.

    Raises:
        WsssError: there is no data set to check, or a weight file is missing.
    """
    with told_by_setting(cfg):
        weight_digests(stage_configs(cfg))
    source: Source = build(cfg.data)
    folder = check_folder(cfg, source)
    data_check.inspect(source, folder, workers_per_process(cfg))
    return data_check.report(source, folder, cfg.max_failed_fraction)


def check_folder(cfg: DictConfig, source: Source) -> Path:
    """Folder of the notes of a source's data check."""
    return Path(cfg.work_dir).absolute() / "check" / data_check.data_fingerprint(source)


def workers_per_process(cfg: DictConfig, ranks: int = 1) -> int:
    """Loader and CRF processes of one rank: as configured, or this node's cores shared out."""
    if cfg.workers is not None:
        return int(cfg.workers)
    ranks_per_node = max(1, ranks // max(1, int(cfg.trainer.num_nodes)))
    return max(1, usable_cores() // ranks_per_node)
