"""What is told of a finished stage, read from what it left."""

import math
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.artifacts import Manifest
from wsss.data.source import Source
from wsss.pipeline.tracking.lineage import artefacts_of
from wsss.pipeline.tracking.records import Confusion, Picture, StageRecord
from wsss.pipeline.tracking.tables import iou_table
from wsss.report.bound import BOUNDS, WEAK, weak_over_bound
from wsss.report.confusions import CONFUSIONS, read_confusions
from wsss.report.health import health
from wsss.report.read_scores import Scores, Subject, read_scores

ORACLE = "oracle/"
"""What a mask has chosen is below it."""
MARKED = "saw_masks/"
"""What came of weights that were trained with masks is below it."""
USAGE = ("wall_time_s", "peak_memory_mb", "peak_gpu_memory_mb", "gpu_utilisation")
"""Numbers of a manifest that tell what a stage took."""
MEASURED_HEALTH = ("localize", "refine")
SCORING = (WEAK, *BOUNDS)


def stage_record(
    manifest: Manifest,
    folder: Path,
    source: Source,
    overlays: Mapping[str, Picture] | None = None,
    in_curves: Container[str] = (),
    manifests: Mapping[str, Manifest] | None = None,
) -> StageRecord:
    """Numbers, tables, matrices, pictures and artefacts of a finished stage.

    Args:
        manifest: of the stage.
        folder: of the stage.
        source: the data set.
        overlays: of the stage's results over images.
        in_curves: names of numbers that its curves end with.
        manifests: of the run's stages so far; with a bound's, weak/bound is told.
    """
    stage = manifest.stage
    scores = read_scores(folder) if stage in SCORING else Scores()
    of_health = health({stage: folder}) if stage in MEASURED_HEALTH else {}
    results = {name: value for name, value in manifest.numbers.items() if name not in of_health}
    mark = MARKED * manifest.saw_masks
    numbers = {} if stage == WEAK else _finite(results, f"{stage}/{mark}")
    numbers |= _scores(stage, scores, source)
    if stage in BOUNDS:
        together = {name: one.numbers for name, one in (manifests or {}).items()}
        compared = weak_over_bound({WEAK: together.get(WEAK, {}), stage: manifest.numbers})
        weak = (manifests or {}).get(WEAK)
        begin = f"{ORACLE}{MARKED * (weak is not None and weak.saw_masks)}"
        numbers |= {f"{begin}{one.name}_percent": 100 * one.ratio for one in compared}
    numbers = {name: value for name, value in numbers.items() if name not in in_curves}
    numbers |= _finite({name: getattr(manifest, name) for name in USAGE}, f"stages/{stage}/")
    numbers |= _finite(of_health, "health/")
    return StageRecord(
        stage,
        numbers,
        {f"{stage}/iou": iou_table(scores, source.class_names)} if scores.subjects else {},
        _confusions(stage, folder, scores, source) if scores.subjects else {},
        {
            name: pictures
            for name, pictures in (("gallery", gallery(folder)), (f"overlays/{stage}", overlays))
            if pictures
        },
        artefacts_of(manifest, folder, source),
    )


def gallery(folder: Path) -> dict[str, Picture]:
    """The rows of a report's gallery, with ground truth where there is some; by their names."""
    found: dict[str, Picture] = {}
    for path in sorted((folder / "panels").glob("*.jpg")):
        with Image.open(path) as picture:
            found[path.stem] = np.array(picture.convert("RGB"))
    return found


def _scores(stage: str, scores: Scores, source: Source) -> dict[str, float]:
    """The mean IoU of every kind of masks, and that of every class."""
    labels = ("background", *source.class_names)
    found: dict[str, Any] = {}
    for one in scores.subjects:
        name = f"{_begin(stage, one)}{one.name}"
        found[f"{name}_miou"] = one.miou
        for label, iou in zip(labels, one.per_class_iou, strict=True):
            found[f"{name}/iou/{label}"] = iou
    return _finite(found)


def _confusions(stage: str, folder: Path, scores: Scores, source: Source) -> dict[str, Confusion]:
    labels = ("background", *source.class_names)
    return {
        f"{_begin(stage, scores.get(name))}confusion/{name}": Confusion(labels, counts)
        for name, counts in read_confusions(folder / CONFUSIONS).items()
    }


def _begin(stage: str, subject: Subject | None) -> str:
    """How the names of scores begin; all of a bound is below `oracle_bound/`."""
    if subject is None or stage in BOUNDS:
        return f"{stage}/"
    return f"{stage}/{ORACLE * subject.oracle}{MARKED * subject.saw_masks}"


def _finite(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Those that are finite numbers, as floats."""
    return {
        f"{prefix}{name}": float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
