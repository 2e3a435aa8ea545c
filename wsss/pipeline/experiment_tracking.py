"""Configuration, numbers and pictures for TensorBoard or W&B; Lightning logs the curves."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from wsss.artifacts import read_json


def log_config(loggers: Sequence[Logger], config: dict[str, Any]) -> None:
    """Log the resolved configuration of the run."""
    for logger in loggers:
        logger.log_hyperparams(config)


def log_stage(loggers: Sequence[Logger], stage: str, folder: Path, cached: bool) -> None:
    """Log a finished stage: its curves if they were not logged live, its numbers, its pictures."""
    if not loggers:
        return
    if cached:
        _replay_curves(loggers, folder)
    numbers = {f"{stage}/{name}": value for name, value in _numbers(folder).items()}
    panels = sorted((folder / "panels").glob("*.jpg"))
    for logger in loggers:
        if numbers:
            logger.log_metrics(numbers)
        _log_panels(logger, panels)


def finish(loggers: Sequence[Logger]) -> None:
    """Close every logger, so that the next run of a sweep starts one of its own."""
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, WandbLogger):
            import wandb

            wandb.finish()


def _replay_curves(loggers: Sequence[Logger], folder: Path) -> None:
    for path in sorted(folder.glob("curves/*/metrics.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                values = {k: float(v) for k, v in row.items() if v and k != "step"}
                for logger in loggers:
                    logger.log_metrics(values, step=int(row["step"]))


def _numbers(folder: Path) -> dict[str, float]:
    """The manifest's numbers, and the IoU of every class where a stage scored them."""
    numbers: dict[str, float] = dict(read_json(folder / "manifest.json")["numbers"])
    metrics: Mapping[str, Any] = {}
    if (path := folder / "metrics.json").is_file():
        metrics = read_json(path)
    names = ["background", *metrics.get("class_names", ())]
    for subject, scores in metrics.get("subjects", {}).items():
        mark = "oracle/" if scores["oracle"] else ""
        for name, iou in zip(names, scores["per_class_iou"], strict=True):
            if iou is not None:
                numbers[f"{mark}{subject}/iou/{name}"] = iou
    return numbers


def _log_panels(logger: Logger, panels: Sequence[Path]) -> None:
    if not panels:
        return
    if isinstance(logger, WandbLogger):
        names = [path.stem for path in panels]
        logger.log_image("gallery", [str(path) for path in panels], caption=names)
    elif isinstance(logger, TensorBoardLogger):
        for path in panels:
            with Image.open(path) as picture:
                pixels = np.array(picture.convert("RGB"))
            logger.experiment.add_image(f"gallery/{path.stem}", pixels, dataformats="HWC")
