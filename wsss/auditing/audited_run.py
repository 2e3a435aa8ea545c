"""The run whose data set is audited: its source, its classifier, its pseudo masks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import LabelStore, Manifest
from wsss.comparing.compared_run import read_runs
from wsss.data.source import SPLITS, Source
from wsss.errors import user_error
from wsss.models.saved_classifier import TRAINERS
from wsss.settings.build import build

STAGES = ("classify", "reactivate", "oppose", "refine")
"""Stages that an audit may take something from."""


@dataclass(frozen=True, slots=True)
class AuditedRun:
    """A run with a classifier."""

    name: str
    source: Source
    folders: Mapping[str, Path]
    """Of the finished stages that an audit may take something from."""
    manifests: Mapping[str, Manifest]

    @property
    def pseudo_masks(self) -> LabelStore | None:
        """Refined objects of training images; None where `refine` has not finished."""
        return LabelStore(self.folders["refine"] / "masks") if "refine" in self.folders else None

    @property
    def stored_features(self) -> Path | None:
        """Pooled features of a frozen backbone that the run trained a head on."""
        folder = self.folders.get("classify", Path()) / "features"
        manifest = self.manifests.get("classify")
        later = {"reactivate", "oppose"} & {*self.folders}
        if manifest is None or manifest.is_given or later or not folder.is_dir():
            return None
        return folder

    @property
    def unusable(self) -> frozenset[str]:
        """Ids of images that the run found unreadable."""
        ids = (one.basis.get("unusable", ()) for one in self.manifests.values())
        return frozenset(str(one) for some in ids for one in some)

    @property
    def described(self) -> dict[str, Any]:
        """What was audited, as `audit.json` tells it."""
        last = max(self.manifests.values(), key=lambda one: one.finished_at)
        return {
            "name": self.name,
            "stages": {stage: folder.name for stage, folder in self.folders.items()},
            "data": self.source.name,
            "commit": last.commit,
            "finished_at": last.finished_at,
        }


def run_of(folder: Path, data: DictConfig | None) -> AuditedRun:
    """The run that a folder stands for.

    Args:
        folder: of a run's logs, or of a finished stage.
        data: settings of the data set; None: those that the run has noted.

    Raises:
        WsssError: there is no run, it has no classifier, or the data set is another one.
    """
    runs = read_runs([folder])
    if len(runs) != 1:
        raise user_error(
            folder, f"the logs of {len(runs)} runs", "one run",
            f"Name one of them: `{folder / runs[0].name}`." if runs else "Name the logs of a run.",
        )  # fmt: skip
    (run,) = runs
    if not {*run.folders} & {*TRAINERS, "oppose"}:
        raise user_error(
            folder, "a run without a classifier", "one that has finished `classify`, also a "
            "classifier of yours: `classify=given`",
            "Seeds or masks of yours tell nothing of tags: `wsss run stages=[classify]` on the "
            "same data, and audit that.",
        )  # fmt: skip
    if data is None and not run.data:
        raise user_error(
            folder, "a stage, which does not know its data set", "`data=…` as in its run",
            "Add it, or name the logs of the run, such as runs/logs/…, which do.",
        )  # fmt: skip
    source: Source = build(OmegaConf.create(dict(run.data)) if data is None else data)
    used = [stage for stage in STAGES if stage in run.folders]
    found = AuditedRun(
        run.name,
        source,
        {stage: run.folders[stage] for stage in used},
        {stage: run.manifests[stage] for stage in used},
    )
    _check_data(folder, found)
    return found


def _check_data(folder: Path, run: AuditedRun) -> None:
    """Refuse another data set than the one that the stages were computed from."""
    for split in SPLITS:
        noted = {one.basis.get("data", {}).get(split) for one in run.manifests.values()} - {None}
        if noted and noted != {run.source.fingerprint(split)}:
            raise user_error(
                folder, f"images or tags of the split `{split}` that are others now",
                "the data set that the run was computed from",
                "Give the run's `data=…`, or run it again.",
            )  # fmt: skip
