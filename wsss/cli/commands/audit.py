"""`wsss audit`."""

import argparse

from omegaconf import OmegaConf
from rich.console import Console

from wsss.cli.prepare import prepare


def audit(words: list[str], arguments: argparse.Namespace) -> None:
    """Audit the data set of a run, and say what was found and where."""
    from wsss.auditing.request import configure, request_of

    cfg = configure(words)
    if arguments.cfg:
        print(OmegaConf.to_yaml(cfg))
        return
    request = request_of(cfg)
    from wsss.cli.quick_imports import import_timm

    import_timm()
    from wsss.auditing.audit import run
    from wsss.cli.tables.audited import outcome

    prepare()
    found = run(request, cfg.get("data"))
    Console().print(outcome(found.audit, found.folder, found.cached), crop=False)
