"""`wsss export`."""

import argparse

from omegaconf import OmegaConf
from rich.console import Console
from rich.text import Text

from wsss.cli.prepare import prepare


def export(words: list[str], arguments: argparse.Namespace) -> None:
    """Export a stage's results and say where they are."""
    from wsss.exporting.request import configure, request_of

    cfg = configure(words)
    if arguments.cfg:
        print(OmegaConf.to_yaml(cfg))
        return
    request = request_of(cfg)
    prepare()
    from wsss.cli.tables.exported import outcome
    from wsss.exporting.export_request import run
    from wsss.settings.build import build

    source = None if cfg.get("data") is None else build(cfg.data)
    console = Console()
    folder, exported = run(request, source, say=lambda text: console.print(Text(text)))
    console.print(outcome(folder, exported))
