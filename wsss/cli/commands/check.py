"""`wsss check`."""

import sys

from omegaconf import DictConfig
from rich.console import Console

from wsss.cli.prepare import prepare
from wsss.cli.quick_imports import modules_kept


def check(cfg: DictConfig) -> None:
    """Check the data set and show the report."""
    with modules_kept():
        from wsss.cli.tables.data_check import render
        from wsss.pipeline.check_command import check_data

    prepare()
    report = check_data(cfg)
    Console().print(render(report), crop=False)
    if report.failed:
        sys.exit(1)
