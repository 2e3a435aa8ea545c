"""The run whose data set is audited: its source, its classifier, its pseudo masks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wsss.comparing.run_with_data import RunWithData, has_classifier, read_one, source_of
from wsss.data.source import SPLITS
from wsss.errors import user_error

STAGES = ("classify", "reactivate", "oppose", "refine")
"""Stages that an audit may take something from."""


@dataclass(frozen=True, slots=True)
class AuditedRun(RunWithData):
    """A run with a classifier; its folders are those of `STAGES`."""

    @property
    def stored_features(self) -> Path | None:
        """Pooled features of a frozen backbone that the run trained a head on."""
        folder = self.folders.get("classify", Path()) / "features"
        manifest = self.manifests.get("classify")
        later = {"reactivate", "oppose"} & {*self.folders}
        if manifest is None or manifest.is_given or later or not folder.is_dir():
            return None
        scales = manifest.config.get("feature_scales") or {}
        # The first views are of the first scale; maps and filled images are looked at as they are.
        return folder if scales.get("factors", [1.0])[0] == 1 else None

    @property
    def described(self) -> dict[str, Any]:
        """What was audited, as `audit.json` tells it."""
        last = max(self.manifests.values(), key=lambda one: one.finished_at)
        return {
            "name": self.name,
            "stages": {stage: folder.name for stage, folder in self.folders.items()},
            "data": self.source.name,
            "data_fingerprints": {split: self.source.fingerprint(split) for split in SPLITS},
            "saw_masks": self.saw_masks,
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
    run = read_one(folder)
    if not has_classifier(run):
        raise user_error(
            folder, "a run without a classifier", "one that has finished `classify`, also a "
            "classifier of yours: `classify=given`",
            "Seeds or masks of yours tell nothing of tags: `wsss run stages=[classify]` on the "
            "same data, and audit that.",
        )  # fmt: skip
    source = source_of(folder, run, data)
    used = [stage for stage in STAGES if stage in run.folders]
    return AuditedRun(
        run.name,
        source,
        {stage: run.folders[stage] for stage in used},
        {stage: run.manifests[stage] for stage in used},
    )
