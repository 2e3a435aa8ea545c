"""The finished stages that a result comes from, as their manifests name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wsss.artifacts import SEED_STAGES, Manifest
from wsss.errors import user_error
from wsss.models.saved_networks import refuse_oracle
from wsss.stages import CHAIN

SEGMENTER, EVALUATION, MASKS = "segment", "evaluate", "refine"
CLASSIFIERS = ("reactivate", "classify")
"""Stages that train a classifier, the later one first."""
EXPORTED = (SEGMENTER, MASKS, *SEED_STAGES, *CLASSIFIERS)
"""Stages whose results can be exported."""
GIVEN = {CLASSIFIERS[-1]: "a classifier", SEED_STAGES[-1]: "seeds", MASKS: "pseudo masks"}
"""What users may give in place of a stage's results."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """A stage with those that it was computed from."""

    stage: str
    folders: Mapping[str, Path]
    """Of every finished stage, in the order of the chain; also the stage's evaluation."""
    manifests: Mapping[str, Manifest]

    @property
    def folder(self) -> Path:
        """The stage's own folder."""
        return self.folders[self.stage]

    def first(self, stages: tuple[str, ...]) -> Path | None:
        """The folder of the first of these stages that is there."""
        return next((self.folders[one] for one in stages if one in self.folders), None)

    @property
    def given(self) -> tuple[str, ...]:
        """What a user gave instead of having it computed, such as `seeds`."""
        return tuple(
            words
            for stage, words in GIVEN.items()
            if stage in self.manifests and self.manifests[stage].is_given
        )


def trace(folder: Path) -> Lineage:
    """The stages that a finished stage comes from; those whose folders are gone are left out.

    Args:
        folder: of the stage, such as runs/segment/3f0c…, or one with a single segmenter in it, such
            as runs.

    Raises:
        WsssError: there is no finished stage, or none that can be exported, such as a bound.
    """
    folder = _stage_folder(folder.absolute())
    refuse_oracle(folder)
    manifest = Manifest.read(folder)
    if manifest is None or manifest.stage not in EXPORTED:
        came = "no finished stage here" if manifest is None else f"the stage `{manifest.stage}`"
        raise user_error(
            folder, came, f"the folder of a finished {', '.join(EXPORTED[:-1])} or {EXPORTED[-1]}",
            "Name one, such as `wsss export runs/segment/…`, or run the stage to its end.",
        )  # fmt: skip
    found = {manifest.stage: (folder, manifest)}
    waiting = [manifest]
    while waiting:
        for stage, fingerprint in waiting.pop().basis.get("inputs", {}).items():
            place = folder.parents[1] / stage / str(fingerprint)
            earlier = Manifest.read(place)
            if earlier is not None and stage not in found:
                found[stage] = (place, earlier)
                waiting.append(earlier)
    if (evaluation := _evaluation(folder, manifest)) is not None:
        found[EVALUATION] = evaluation
    order = [stage for stage in CHAIN if stage in found]
    return Lineage(
        manifest.stage,
        {stage: found[stage][0] for stage in order},
        {stage: found[stage][1] for stage in order},
    )


def _stage_folder(folder: Path) -> Path:
    """The folder itself, or that of the only segmenter below it."""
    if not folder.is_dir():
        raise user_error(
            folder, "no such folder", "the folder of a finished stage, such as runs/segment/…",
            "Correct the path.",
        )  # fmt: skip
    if Manifest.read(folder) is not None:
        return folder
    depths = ("*", f"{SEGMENTER}/*")
    places = (path for depth in depths for path in sorted(folder.glob(f"{depth}/manifest.json")))
    found = [
        path.parent
        for path in places
        if (manifest := Manifest.read(path.parent)) and manifest.stage == SEGMENTER
    ]
    if len(found) > 1:
        listed = "".join(f"\n    {one}" for one in found)
        came = f"{len(found)} finished segmenters"
        raise user_error(folder, came, "one of them", f"Choose one:{listed}")
    return found[0] if found else folder


def _evaluation(folder: Path, manifest: Manifest) -> tuple[Path, Manifest] | None:
    """The latest evaluation of a stage, if there is one."""
    finished = []
    for path in folder.parents[1].glob(f"{EVALUATION}/*/manifest.json"):
        one = Manifest.read(path.parent)
        if one is not None and one.basis.get("inputs", {}).get(manifest.stage) == folder.name:
            finished.append((one.finished_at, path.parent, one))
    if not finished:
        return None
    _, place, latest = max(finished, key=lambda entry: entry[:2])
    return place, latest
