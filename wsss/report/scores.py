"""What `evaluate` found out, read from its `metrics.json`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import read_json

SEEDS_ORACLE, SEEDS, PSEUDO_MASKS = "seeds_oracle", "seeds", "pseudo_masks"
SEGMENTER, SEGMENTER_TTA_CRF = "segmenter", "segmenter_tta_crf"
ORDER = (SEEDS_ORACLE, SEEDS, PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF)
"""Subjects in the order of the pipeline; unknown ones follow."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The scores of one kind of mask; fractions in [0, 1], None where nothing was measured."""

    name: str
    label: str
    """What a reader calls it."""
    split: str
    oracle: bool
    """Whether ground truth chose a setting of it."""
    num_images: int
    miou: float | None
    per_class_iou: tuple[float | None, ...]
    """Background first; None for a class that occurs nowhere."""
    pixel_accuracy: float | None = None
    coverage: float | None = None
    """Fraction of pixels that have a label at all."""
    covered_miou: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """All subjects of an evaluation, and how the seeds depend on their threshold."""

    subjects: tuple[Subject, ...] = ()
    oracle_curve: tuple[tuple[float, float], ...] = ()
    """Background threshold and mIoU of the seeds, ascending."""

    def get(self, name: str) -> Subject | None:
        """The subject of that name, if it was scored."""
        return next((subject for subject in self.subjects if subject.name == name), None)


def read_scores(folder: Path) -> Scores:
    """The scores in an evaluation's folder; empty where nothing could be scored."""
    path = folder / "metrics.json"
    content = read_json(path) if path.is_file() else {}
    subjects = content.get("subjects", {})
    names = [*(name for name in ORDER if name in subjects), *sorted(subjects.keys() - set(ORDER))]
    curve = ((p.get("threshold"), _finite(p.get("miou"))) for p in content.get("oracle_curve", ()))
    return Scores(
        tuple(_subject(name, subjects[name]) for name in names),
        tuple(sorted((x, y) for x, y in curve if x is not None and y is not None)),
    )


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
    )


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
