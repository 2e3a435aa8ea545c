"""A single run that something is computed from afterwards, with the data set that it learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import LabelStore, Manifest
from wsss.comparing.compared_run import ComparedRun, read_runs
from wsss.data.source import SPLITS, Source
from wsss.errors import user_error
from wsss.models.saved_classifier import TRAINERS
from wsss.settings.build import build


@dataclass(frozen=True, slots=True)
class RunWithData:
    """Finished stages of a run, and its data set."""

    name: str
    source: Source
    folders: Mapping[str, Path]
    """Of the finished stages."""
    manifests: Mapping[str, Manifest]

    @property
    def pseudo_masks(self) -> LabelStore | None:
        """Refined objects of training images; None where `refine` has not finished."""
        return LabelStore(self.folders["refine"] / "masks") if "refine" in self.folders else None

    @property
    def saw_masks(self) -> bool:
        """Whether weights that were trained with masks had a part in any of its stages."""
        return any(one.saw_masks for one in self.manifests.values())

    @property
    def unusable(self) -> frozenset[str]:
        """Ids of images that the run found unreadable."""
        ids = (one.basis.get("unusable", ()) for one in self.manifests.values())
        return frozenset(str(one) for some in ids for one in some)


def read_one(folder: Path) -> ComparedRun:
    """The run that a folder stands for.

    Args:
        folder: of a run's logs, or of a finished stage.

    Raises:
        WsssError: there is no run, or there are several.
    """
    runs = read_runs([folder])
    if len(runs) != 1:
        raise user_error(
            folder, f"the logs of {len(runs)} runs", "one run",
            f"Name one of them: `{folder / runs[0].name}`." if runs else "Name the logs of a run.",
        )  # fmt: skip
    return runs[0]


def has_classifier(run: ComparedRun) -> bool:
    """Whether a stage that gives a classifier has finished."""
    return bool({*run.folders} & {*TRAINERS, "oppose"})


def source_of(folder: Path, run: ComparedRun, data: DictConfig | None) -> Source:
    """The data set of a run, held against what its stages have noted.

    Args:
        folder: that the user has named.
        run: that it stands for.
        data: settings of the data set; None: those that the run has noted.

    Raises:
        WsssError: it is not known, or its images or tags are others now.
    """
    if data is None and not run.data:
        raise user_error(
            folder, "a stage, which does not know its data set", "`data=…` as in its run",
            "Add it, or name the logs of the run, such as runs/logs/…, which do.",
        )  # fmt: skip
    source: Source = build(OmegaConf.create(dict(run.data)) if data is None else data)
    for split in SPLITS:
        noted = {one.basis.get("data", {}).get(split) for one in run.manifests.values()} - {None}
        if noted and noted != {source.fingerprint(split)}:
            raise user_error(
                folder, f"images or tags of the split `{split}` that are others now",
                "the data set that the run was computed from",
                "Give the run's `data=…`, or run it again.",
            )  # fmt: skip
    return source
