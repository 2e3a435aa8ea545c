"""The interface of trackers; on its own, a logger of Lightning's that takes numbers only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from pytorch_lightning.loggers import Logger

from wsss.pipeline.tracking.records import Artefact, Confusion, Picture, Table

L = TypeVar("L", bound=Logger)


class Tracker(Generic[L]):
    """Takes what is told of a run, in the words of its dashboard."""

    def __init__(self, logger: L) -> None:
        self.logger = logger

    @staticmethod
    def continuing(settings: Mapping[str, Any], name: str, run_id: str | None) -> dict[str, Any]:
        """Settings of the logger that let it go on in a run, or begin one of that name.

        Args:
            settings: the user's, which go before.
            name: of the run, made of letters, digits and `._-`.
            run_id: of the run to go on in; None begins one.
        """
        return {}

    @staticmethod
    def place(settings: Mapping[str, Any]) -> str:
        """Where the logger with these settings writes; elsewhere it begins a run of its own."""
        return ""

    @property
    def run_id(self) -> str | None:
        """The tracker's name of the run; None before it has one.

        A logger without such names may begin another file where it goes on, with what is new.
        """
        return type(self.logger).__name__

    @property
    def exists(self) -> bool:
        """Whether a run that was begun before is still there, as far as this machine can tell."""
        return True

    def start(self) -> None:
        """Begin, or go on; called before anything is told."""

    def config(self, config: Mapping[str, Any]) -> None:
        """Take the configuration, with commit and versions."""
        self.logger.log_hyperparams(dict(config))

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Take numbers by their names."""
        self.logger.log_metrics(dict(values), step)

    def table(self, name: str, table: Table) -> None:
        """Take a table."""

    def confusion(self, name: str, confusion: Confusion) -> None:
        """Take a confusion matrix."""

    def pictures(self, name: str, pictures: Mapping[str, Picture]) -> None:
        """Take pictures of images, by the images' names."""

    def artefact(self, artefact: Artefact) -> None:
        """Take a reference to an artefact."""

    def close(self, status: str) -> None:
        """End.

        Args:
            status: `success` or `failed`.
        """
        self.logger.finalize(status)


def folder_name(folder: Any) -> str:
    """A folder, wherever it is seen from."""
    return str(Path(str(folder)).absolute())
