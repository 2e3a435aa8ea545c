"""`wsss compare`."""

import argparse

from omegaconf import OmegaConf
from rich.console import Console


def compare(words: list[str], arguments: argparse.Namespace) -> None:
    """Compare runs, and say where the page is."""
    from wsss.comparing.request import configure, request_of

    cfg = configure(words)
    if arguments.cfg:
        print(OmegaConf.to_yaml(cfg))
        return
    request = request_of(cfg)
    from wsss.cli.tables.compared_runs import outcome
    from wsss.comparing.compared_run import read_runs
    from wsss.comparing.page import write_page
    from wsss.comparing.score_differences import compare_scores
    from wsss.settings.build import build

    runs = read_runs(request.folders)
    scores = compare_scores(runs, request.resamples)
    page = write_page(
        runs,
        request.output.absolute(),
        title=request.title or ", ".join(folder.name for folder in request.folders),
        source=None if cfg.get("data") is None else build(cfg.data),
        scores=scores,
        images=request.images,
        panel_height_px=request.panel_height_px,
    )
    Console().print(outcome(runs, page, scores=scores), crop=False)
