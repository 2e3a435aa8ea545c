"""TensorBoard: event files in a folder for each run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger

from wsss.pipeline.tracking.markdown import artefact_markdown, config_markdown, table_markdown
from wsss.pipeline.tracking.records import Artefact, Confusion, Picture, Table
from wsss.pipeline.tracking.tracker import Tracker, folder_name
from wsss.report.confusion_picture import confusion_picture

COMPARED = (
    "classify/val_map",
    "health/scale_agreement",
    "health/seed_agreement",
    "health/coverage",
    "evaluate/pseudo_masks_miou",
    "evaluate/segmenter_miou",
)
"""Numbers beside the settings in TensorBoard's table of runs."""


class TensorBoardTracker(Tracker[TensorBoardLogger]):
    """A folder of TensorBoard's."""

    @staticmethod
    def continuing(settings: Mapping[str, Any], name: str, run_id: str | None) -> dict[str, Any]:
        """A folder named as the run; a run that goes on adds an event file to it."""
        version = settings.get("version")
        return {
            "name": settings.get("name") or name,
            "version": "" if version is None else version,
            "default_hp_metric": False,
        }

    @staticmethod
    def place(settings: Mapping[str, Any]) -> str:
        """The folder of all runs."""
        return f"tensorboard {folder_name(settings.get('save_dir') or '.')}"

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return Path(self.logger.log_dir).name

    @property
    def exists(self) -> bool:
        """Whether its folder has an event file."""
        return any(Path(self.logger.log_dir).glob("events.out.tfevents.*"))

    def config(self, config: Mapping[str, Any]) -> None:
        """As text, and in the table of runs and settings."""
        from torch.utils.tensorboard.summary import hparams

        self.logger.experiment.add_text("config", config_markdown(config))
        writer = self.logger.experiment._get_file_writer()
        summaries = hparams(flat(config), dict.fromkeys(COMPARED, 0))  # type: ignore[no-untyped-call]
        for summary in summaries:
            writer.add_summary(summary)

    def table(self, name: str, table: Table) -> None:
        """A table of Markdown."""
        self.logger.experiment.add_text(name, table_markdown(table))

    def confusion(self, name: str, confusion: Confusion) -> None:
        """A picture of the matrix."""
        picture = confusion_picture(confusion.labels, confusion.counts)
        self.logger.experiment.add_image(name, picture, dataformats="HWC")

    def pictures(self, name: str, pictures: Mapping[str, Picture]) -> None:
        """A picture for each image."""
        for image, picture in pictures.items():
            self.logger.experiment.add_image(f"{name}/{image}", picture, dataformats="HWC")

    def artefact(self, artefact: Artefact) -> None:
        """Its address and what it was made of, as text."""
        name = f"lineage/{artefact.kind}"
        self.logger.experiment.add_text(name, artefact_markdown(artefact))


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str | float]:
    """Settings by their dotted names, as numbers or text."""
    found: dict[str, str | float] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        else:
            found[name] = value if isinstance(value, bool | int | float) else str(value)
    return found
