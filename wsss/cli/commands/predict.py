"""`wsss predict`."""

import argparse
import logging

from omegaconf import OmegaConf
from rich.console import Console

from wsss.cli.prepare import prepare


def predict(words: list[str], arguments: argparse.Namespace) -> None:
    """Predict images and say where the results are."""
    from wsss.predict.request import configure, request_of

    cfg = configure(words)
    if arguments.cfg:
        print(OmegaConf.to_yaml(cfg))
        return
    request = request_of(cfg)
    from wsss.cli.quick_imports import import_timm

    import_timm()
    from wsss.cli.tables.predictions import outcome
    from wsss.predict import predict_request

    prepare()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("wsss").setLevel(logging.INFO)  # Who waits for another command says so.
    console = Console()
    found = predict_request.run(
        request, lambda line: console.print(line, markup=False, highlight=False)
    )
    if found is not None:
        console.print(outcome(found))
