"""MLflow: a database of runs, and a folder of their files."""

import re
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import MLFlowLogger

from wsss.data.sample import safe_file_stem
from wsss.pipeline.tracking.records import Artefact, Confusion, Picture, Table
from wsss.pipeline.tracking.tables import csv_text
from wsss.pipeline.tracking.tracker import Tracker
from wsss.report.confusion_picture import confusion_picture

COMMIT = "mlflow.source.git.commit"
"""MLflow's own tag."""
ENDED = {"success": "FINISHED", "failed": "FAILED"}


class MlflowTracker(Tracker[MLFlowLogger]):
    """A run of MLflow."""

    @staticmethod
    def continuing(settings: Mapping[str, Any], name: str, run_id: str | None) -> dict[str, Any]:
        """The run's id; without one MLflow makes a run."""
        return {
            "run_id": settings.get("run_id") or run_id,
            "run_name": settings.get("run_name") or name,
        }

    @staticmethod
    def place(settings: Mapping[str, Any]) -> str:
        """The database and the experiment."""
        return f"mlflow {settings.get('tracking_uri')} {settings.get('experiment_name')}"

    @property
    def run_id(self) -> str | None:
        """The id that MLflow gave the run."""
        return self.logger._run_id

    @property
    def exists(self) -> bool:
        """Whether the database has the run."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.logger._mlflow_client.get_run(str(self.run_id)))
        except MlflowException:
            return False

    def start(self) -> None:
        """Make the run, or let it be running again."""
        self.logger.experiment.update_run(self.logger.run_id, status="RUNNING")

    def config(self, config: Mapping[str, Any]) -> None:
        """As parameters, which MLflow cuts at 250 characters, and whole as a file."""
        self.logger.log_hyperparams(dict(config))
        client, run_id = self.logger.experiment, self.logger.run_id
        client.log_dict(run_id, dict(config), "config.yaml")
        client.set_tag(run_id, COMMIT, str(config.get("commit", "")))

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Metrics, whose names may have certain signs only."""
        super().numbers({metric_name(name): value for name, value in values.items()}, step)

    def table(self, name: str, table: Table) -> None:
        """A table that MLflow shows, as CSV."""
        self.logger.experiment.log_text(self.logger.run_id, csv_text(table), f"{name}.csv")

    def confusion(self, name: str, confusion: Confusion) -> None:
        """The counts as CSV, and a picture of them."""
        rows = zip(confusion.labels, confusion.counts.tolist(), strict=True)
        table = Table(
            ("actual", *confusion.labels, "void"), tuple((label, *row) for label, row in rows)
        )
        self.table(name, table)
        picture = confusion_picture(confusion.labels, confusion.counts)
        self.logger.experiment.log_image(self.logger.run_id, picture, f"{name}.png")

    def pictures(self, name: str, pictures: Mapping[str, Picture]) -> None:
        """A file for each image."""
        for image, picture in pictures.items():
            path = f"{name}/{safe_file_stem(image)}.png"
            self.logger.experiment.log_image(self.logger.run_id, picture, path)

    def artefact(self, artefact: Artefact) -> None:
        """The data as a data set of the run; others as tags; all with their origins as JSON."""
        client, run_id = self.logger.experiment, self.logger.run_id
        content = {
            "name": artefact.name,
            "uri": artefact.uri,
            "made_of": list(artefact.made_of),
            "facts": dict(artefact.facts),
        }
        client.log_dict(run_id, content, f"lineage/{artefact.kind}.json")
        client.set_tag(run_id, f"wsss.{artefact.kind}", artefact.uri or artefact.name)
        if not artefact.stage:
            client.log_inputs(run_id, [_data_set(artefact)])

    def close(self, status: str) -> None:
        """Say how the run ended."""
        self.logger.experiment.set_terminated(self.logger.run_id, ENDED[status])


def metric_name(name: str) -> str:
    """A name of the signs that MLflow takes: letters, digits and `_-. /`; others by their code.

    Example:
        >>> metric_name("health/class_share/Müll")
        'health/class_share/M_fcll'
    """
    return re.sub(r"[^A-Za-z0-9_\-. /]", lambda found: f"_{ord(found[0]):x}", name)


def _data_set(artefact: Artefact) -> Any:
    from mlflow.entities import Dataset, DatasetInput

    name = str(artefact.facts.get("data_set", artefact.kind))
    source = {"uri": artefact.uri}
    return DatasetInput(Dataset(name, artefact.fingerprint[:36], "local", str(source)))
