"""The run that a summary is of: its data set, and what its stages left."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wsss.artifacts import LabelStore, SeedStore
from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.run_with_data import RunWithData, has_classifier, read_one, source_of
from wsss.data.source import VAL
from wsss.errors import user_error
from wsss.stage_tools.scoring import CountStore

TAGS, MASKS = "tags", "masks"
"""What tells that something is wrong."""


@dataclass(frozen=True, slots=True)
class SummarisedRun(RunWithData):
    """A run with a classifier and activation maps."""

    @property
    def seeds(self) -> SeedStore:
        """Maps of the tags of training images."""
        return SeedStore(self.folders["localize"] / "seeds")

    @property
    def predictions(self) -> LabelStore | None:
        """Predictions of validation images by the segmenter; None where there are none."""
        if not {"segment", "evaluate"} <= {*self.folders}:
            return None
        return LabelStore(self.folders["evaluate"] / "predictions" / VAL)

    def counts(self, of_predictions: bool) -> CountStore:
        """Pixels of each image by true label and pseudo mask, or prediction (oracle)."""
        name = f"{VAL}_predictions" if of_predictions else "train"
        return CountStore(self.folders["evaluate"] / "counts" / name)

    @property
    def map_settings(self) -> Mapping[str, Any]:
        """Settings of the stage that computed the maps; empty where they were given."""
        manifest = self.manifests["localize"]
        return {} if manifest.is_given else manifest.config


def run_of(folder: Path, data: DictConfig | None, by: str) -> SummarisedRun:
    """The run that a folder stands for.

    Args:
        folder: of a run's logs, or of a finished stage.
        data: settings of the data set; None: those that the run has noted.
        by: `tags`, or `masks`, which only an evaluated run can be summarised by.

    Raises:
        WsssError: there is no run, or it lacks what a summary takes.
    """
    run = read_one(folder)
    _check_stages(folder, run, by)
    source = source_of(folder, run, data)
    return SummarisedRun(run.name, source, run.folders, run.manifests)


def _check_stages(folder: Path, run: ComparedRun, by: str) -> None:
    """Refuse a run without maps, classifier or scores that are needed."""
    lacking = [] if "localize" in run.folders else ["localize"]
    lacking += [] if has_classifier(run) else ["classify"]
    lacking += ["evaluate"] if by == MASKS and "evaluate" not in run.folders else []
    if lacking:
        named = " and ".join(f"`{one}`" for one in lacking)
        raise user_error(
            folder, f"a run without {named}",
            "the activation maps of a run, and its classifier"
            + ", and scores by masks for `by=masks`" * (by == MASKS),
            f"Finish {named} first, or name a later stage: runs/refine/… has more than "
            "runs/classify/….",
        )  # fmt: skip
