"""The run that a summary is of: its data set, and what its stages left."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import LabelStore, Manifest, SeedStore
from wsss.comparing.compared_run import read_runs
from wsss.data.source import SPLITS, VAL, Source
from wsss.errors import user_error
from wsss.models.saved_classifier import TRAINERS
from wsss.settings.build import build
from wsss.stage_tools.scoring import CountStore

TAGS, MASKS = "tags", "masks"
"""What tells that something is wrong."""


@dataclass(frozen=True, slots=True)
class SummarisedRun:
    """A run with a classifier and activation maps."""

    name: str
    source: Source
    folders: Mapping[str, Path]
    """Of the finished stages."""
    manifests: Mapping[str, Manifest]

    @property
    def seeds(self) -> SeedStore:
        """Maps of the tags of training images."""
        return SeedStore(self.folders["localize"] / "seeds")

    @property
    def pseudo_masks(self) -> LabelStore | None:
        """Refined objects of training images; None where `refine` has not finished."""
        return LabelStore(self.folders["refine"] / "masks") if "refine" in self.folders else None

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
    def unusable(self) -> frozenset[str]:
        """Ids of images that the run found unreadable."""
        ids = (one.basis.get("unusable", ()) for one in self.manifests.values())
        return frozenset(str(one) for some in ids for one in some)

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
    runs = read_runs([folder])
    if len(runs) != 1:
        raise user_error(
            folder, f"the logs of {len(runs)} runs", "one run",
            f"Name one of them: `{folder / runs[0].name}`.",
        )  # fmt: skip
    (run,) = runs
    _check_stages(folder, {*run.folders}, by)
    if data is None and not run.data:
        raise user_error(
            folder, "a stage, which does not know its data set", "`data=…` as in its run",
            "Add it, or name the logs of the run, such as runs/logs/…, which do.",
        )  # fmt: skip
    source: Source = build(OmegaConf.create(dict(run.data)) if data is None else data)
    found = SummarisedRun(run.name, source, run.folders, run.manifests)
    _check_data(folder, found)
    return found


def _check_stages(folder: Path, there: set[str], by: str) -> None:
    """Refuse a run without maps, classifier or scores that are needed."""
    lacking = [one for one in ("localize",) if one not in there]
    lacking += [] if there & {*TRAINERS, "oppose"} else ["classify"]
    lacking += ["evaluate"] if by == MASKS and "evaluate" not in there else []
    if lacking:
        named = " and ".join(f"`{one}`" for one in lacking)
        raise user_error(
            folder, f"a run without {named}",
            "the activation maps of a run, and its classifier"
            + ", and scores by masks for `by=masks`" * (by == MASKS),
            f"Finish {named} first, or name a later stage: runs/refine/… has more than "
            "runs/classify/….",
        )  # fmt: skip


def _check_data(folder: Path, run: SummarisedRun) -> None:
    """Refuse another data set than the one that the stages were computed from."""
    for split in SPLITS:
        noted = {one.basis.get("data", {}).get(split) for one in run.manifests.values()} - {None}
        if noted and noted != {run.source.fingerprint(split)}:
            raise user_error(
                folder, f"images or tags of the split `{split}` that are others now",
                "the data set that the run was computed from",
                "Give the run's `data=…`, or run it again.",
            )  # fmt: skip
