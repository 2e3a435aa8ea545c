"""Scores of the stage `evaluate`, read from its `metrics.json`."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsss.artifacts import read_json

SEEDS, PROPAGATED_SEEDS, PROBED_SEEDS = "seeds", "propagated_seeds", "probed_seeds"
KINDS_OF_SEEDS = (SEEDS, PROPAGATED_SEEDS, PROBED_SEEDS)
PSEUDO_MASKS = "pseudo_masks"
SEGMENTER, SEGMENTER_TTA_CRF = "segmenter", "segmenter_tta_crf"
ORDER = (
    *(name for kind in KINDS_OF_SEEDS for name in (f"{kind}_oracle", kind)),
    *(PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF),
)
"""Subjects in the order of the pipeline; unknown ones follow."""

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """The scores of one kind of mask; fractions in [0, 1], None where nothing was measured."""

    name: str
    label: str
    """Its name in the report."""
    split: str
    oracle: bool
    """Whether a setting was chosen by ground truth."""
    num_images: int
    miou: float | None
    per_class_iou: tuple[float | None, ...]
    """Background first; None for a class that occurs nowhere."""
    pixel_accuracy: float | None = None
    coverage: float | None = None
    """Fraction of pixels that have a label at all."""
    covered_miou: float | None = None
    threshold: float | None = None
    saw_masks: bool = False
    """Whether weights that were trained with masks had a part in it, as its label says."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All subjects of an evaluation, and the seeds' mIoU over thresholds."""

    subjects: tuple[Subject, ...] = ()
    oracle_curves: Mapping[str, Curve] = field(default_factory=dict)
    """Background threshold and mIoU of each kind of seeds, ascending."""

    def get(self, name: str) -> Subject | None:
        """The subject of that name, if it was scored."""
        return next((subject for subject in self.subjects if subject.name == name), None)


def read_scores(folder: Path) -> Scores:
    """The scores in an evaluation's folder; empty without ground truth."""
    path = folder / "metrics.json"
    content = read_json(path) if path.is_file() else {}
    subjects = content.get("subjects", {})
    names = [*(name for name in ORDER if name in subjects), *sorted(subjects.keys() - set(ORDER))]
    curves = content.get("oracle_curves", {})
    return Scores(
        tuple(_subject(name, subjects[name]) for name in names),
        {kind: curve for kind in KINDS_OF_SEEDS if (curve := _curve(curves.get(kind, ())))},
    )


def joined(several: Iterable[Scores]) -> Scores:
    """The subjects of several evaluations, one after the other, and all curves."""
    found = [*several]
    curves = {kind: curve for one in found for kind, curve in one.oracle_curves.items()}
    return Scores(tuple(subject for one in found for subject in one.subjects), curves)


def _curve(points: Iterable[Mapping[str, Any]]) -> Curve:
    """Threshold and mIoU of the points that have both."""
    found = ((point.get("threshold"), _finite(point.get("miou"))) for point in points)
    return tuple(sorted((x, y) for x, y in found if x is not None and y is not None))


def _subject(name: str, content: Mapping[str, Any]) -> Subject:
    """A subject from its JSON, where everything may be missing."""
    return Subject(
        name=name,
        label=str(content.get("label") or name.replace("_", " ")),
        split=str(content.get("split", "")),
        oracle=bool(content.get("oracle", False)),
        num_images=int(content.get("num_images") or 0),
        miou=_finite(content.get("miou")),
        per_class_iou=tuple(_finite(iou) for iou in content.get("per_class_iou", ())),
        pixel_accuracy=_finite(content.get("pixel_accuracy")),
        coverage=_finite(content.get("coverage")),
        covered_miou=_finite(content.get("covered_miou")),
        threshold=_finite(content.get("threshold")),
        saw_masks=bool(content.get("saw_masks", False)),
    )


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def read_calibration(folder: Path) -> dict[str, Curve]:
    """Mean confidence and accuracy of each bin, by subject; empty where none was measured."""
    path = folder / "metrics.json"
    subjects = read_json(path).get("subjects", {}) if path.is_file() else {}
    return {
        name: tuple((float(one["confidence"]), float(one["accuracy"])) for one in bins)
        for name, content in subjects.items()
        if (bins := content.get("calibration", {}).get("bins"))
    }
