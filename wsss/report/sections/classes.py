"""The scores of every class."""

from dataclasses import dataclass

from wsss.report.read_scores import PSEUDO_MASKS, SEGMENTER, Subject
from wsss.report.results import Results
from wsss.report.section import WHERE_IT_FAILS, Section

_BARS = (PSEUDO_MASKS, SEGMENTER)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class with its IoU by subject."""

    label: int
    name: str
    iou: tuple[float | None, ...]
    """In the order of the section's subjects; None where the class occurs nowhere."""


def classes(results: Results) -> Section | None:
    """The IoU of every class: bars of the main subjects, and a table of all."""
    scored = [subject for subject in results.scores.subjects if subject.per_class_iou]
    if not scored:
        return None
    bars = [subject for subject in scored if subject.name in _BARS] or scored[-1:]
    key = next(s for s in (results.scores.get(SEGMENTER), *bars) if s is not None)
    return Section(
        name="classes",
        title="Every class",
        lead=f"Intersection over union in percent, sorted by {key.label}. "
        "A dash stands for a class that occurs neither in the masks nor in the ground truth.",
        data={
            "bars": bars,
            "bar_rows": _rows(results, bars, key),
            "subjects": scored,
            "rows": _rows(results, scored, key),
        },
        part=WHERE_IT_FAILS,
    )


def _rows(results: Results, subjects: list[Subject], key: Subject) -> list[ClassScores]:
    """The classes, background among them, best first by the `key` subject."""
    rows = [
        ClassScores(label, results.class_name(label), tuple(_iou(s, label) for s in subjects))
        for label in range(max(len(subject.per_class_iou) for subject in (*subjects, key)))
    ]

    def rank(row: ClassScores) -> tuple[float, int]:
        iou = _iou(key, row.label)
        return (1.0 if iou is None else -iou, row.label)

    return sorted(rows, key=rank)


def _iou(subject: Subject, label: int) -> float | None:
    return subject.per_class_iou[label] if label < len(subject.per_class_iou) else None
