"""Weights & Biases: offline by default, `wandb sync` uploads it later."""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers import WandbLogger

from wsss.artifacts import MANIFEST
from wsss.pipeline.tracking.records import Artefact, Confusion, Picture, Table
from wsss.pipeline.tracking.tracker import Tracker, folder_name

GIVEN_ID = "WANDB_RUN_ID"
"""What W&B's own programs, such as `wandb agent`, name the run in."""
MATRIX = "wandb/confusion_matrix/v1"
"""W&B's own panel."""
FIELDS = ("Actual", "Predicted", "nPredictions")
FLUSH, FLUSHED_EVERY_S = "x_transaction_log_flush_interval", 1.0
"""A setting of W&B's, 15 s by default: what it has held back since is lost when a run is killed."""


class WandbTracker(Tracker[WandbLogger]):
    """A run of W&B."""

    @staticmethod
    def continuing(settings: Mapping[str, Any], name: str, run_id: str | None) -> dict[str, Any]:
        """The run's id; W&B resumes one that it knows."""
        given = settings.get("version") or settings.get("id") or os.environ.get(GIVEN_ID)
        return {
            "id": given or run_id or secrets.token_hex(4),
            "name": settings.get("name") or name,
            "resume": "allow",
        }

    @staticmethod
    def place(settings: Mapping[str, Any]) -> str:
        """The folder and the project."""
        folder = folder_name(settings.get("save_dir") or ".")
        return f"wandb {settings.get('project')} {folder}"

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return str(self.logger.version)

    @property
    def exists(self) -> bool:
        """Whether its folder is there; one that was uploaded while it ran may be gone."""
        pattern = f"wandb/*run-*-{self.run_id}"
        return not self.logger._offline or any(Path(str(self.logger.save_dir)).glob(pattern))

    def start(self) -> None:
        """Begin or resume; a run that the user has begun before is not closed."""
        import wandb

        self._is_own = wandb.run is None
        if FLUSH in wandb.Settings.model_fields:  # Earlier versions write at once.
            self.logger._wandb_init.setdefault("settings", {FLUSH: FLUSHED_EVERY_S})
        _ = self.logger.experiment

    def table(self, name: str, table: Table) -> None:
        """A table of W&B's."""
        self.logger.log_table(name, list(table.columns), [list(row) for row in table.rows])

    def confusion(self, name: str, confusion: Confusion) -> None:
        """W&B's own panel of a confusion matrix, of counts."""
        import wandb

        predicted = (*confusion.labels, "void")
        rows = [
            [label, other, int(count)]
            for label, counts in zip(confusion.labels, confusion.counts, strict=True)
            for other, count in zip(predicted, counts, strict=True)
        ]
        table = wandb.Table(columns=list(FIELDS), data=rows)
        self.logger.experiment.log(
            {name: wandb.plot_table(MATRIX, table, {field: field for field in FIELDS})}
        )

    def pictures(self, name: str, pictures: Mapping[str, Picture]) -> None:
        """Pictures side by side under one name, with captions."""
        self.logger.log_image(name, same_size(list(pictures.values())), caption=list(pictures))

    def artefact(self, artefact: Artefact) -> None:
        """An artifact that refers to a folder by its address, and to the manifest in it.

        A reference to the folder itself would list every file below it.
        """
        import wandb

        facts = {"uri": artefact.uri, "made_of": list(artefact.made_of), **artefact.facts}
        one = wandb.Artifact(artefact.name, artefact.kind, metadata=facts)
        if artefact.stage:
            one.add_reference(f"{artefact.uri}/{MANIFEST}", name=MANIFEST)
        self.logger.experiment.log_artifact(one)

    def close(self, status: str) -> None:
        """Close the run, so that the next one of a sweep begins one of its own."""
        import wandb

        self.logger.finalize(status)
        if self._is_own:
            wandb.finish(exit_code=0 if status == "success" else 1)


def same_size(pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures with white added below and on the right: W&B shows a list in the size of one."""
    height, width = (max(one.shape[axis] for one in pictures) for axis in (0, 1))
    return [
        np.pad(
            one,
            ((0, height - one.shape[0]), (0, width - one.shape[1]), (0, 0)),
            constant_values=255,
        )
        for one in pictures
    ]
