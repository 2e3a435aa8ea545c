"""Training curves: each value once, live or from the files that Lightning's logger left."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from wsss.report.training_curves import curves_folder

Points = dict[int, dict[str, float]]
"""Values by step, and by name."""
AXES = {"step", "epoch"}


def curve_points(folder: Path) -> Points:
    """All values in the curves of a training stage's folder, of all its attempts, by step.

    What an attempt that went on from a checkpoint computed again is there once.
    """
    points: Points = {}
    for path in sorted(curves_folder(folder).glob("*/metrics.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                values = {name: float(cell) for name, cell in row.items() if cell}
                points.setdefault(int(values.pop("step")), {}).update(values)
    return dict(sorted(points.items()))


class LiveCurves(Logger):
    """Hands the values of a training to a tracker's logger as they come, those it lacks alone.

    The logger is that of the whole run: the end of a training closes nothing.
    """

    def __init__(self, logger: Logger, known: Points, begin: Callable[[Points], None]) -> None:
        """Stand before a logger.

        Args:
            logger: takes the values.
            known: values of earlier attempts, which come again after the last checkpoint.
            begin: called with them before the first value.
        """
        super().__init__()
        self._logger = logger
        self._known = known
        self._begin: Callable[[Points], None] | None = begin

    @property
    def name(self) -> str | None:
        """That of the logger."""
        return self._logger.name

    @property
    def version(self) -> int | str | None:
        """That of the logger."""
        return self._logger.version

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand on the values that are new."""
        if self._begin is not None:
            self._begin(self._known)
            self._begin = None
        known = self._known.get(step, {}) if step is not None else {}
        new = {name: value for name, value in metrics.items() if name not in known}
        if set(new) - AXES:
            self._logger.log_metrics(new, step)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: the run's configuration has them."""

    def save(self) -> None:
        """Let the logger write what it holds back."""
        self._logger.save()

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Tell the logger, which may be set to upload checkpoints."""
        self._logger.after_save_checkpoint(checkpoint_callback)
