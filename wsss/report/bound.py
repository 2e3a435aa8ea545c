"""The bound, and how near weak labels come to it: all of it was made with ground truth (oracle)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wsss.report.read_scores import SEGMENTER, SEGMENTER_TTA_CRF

BOUNDS = {"oracle_bound": "bound", "oracle_bound_same_schedule": "bound_same_schedule"}
"""Stages that train the segmenter on true masks, and how their scores begin."""
LABELS = {"oracle_bound": "bound", "oracle_bound_same_schedule": "bound, same schedule"}
"""What they are called where they are shown."""
KINDS = {SEGMENTER: "", SEGMENTER_TTA_CRF: "_tta_crf"}
"""Predictions of the segmenter that weak labels trained, and how the names of the bound's end."""
SCORES = tuple(f"{begin}{end}" for begin in BOUNDS.values() for end in KINDS.values())
"""Names of all scores of the bound."""
WEAK = "evaluate"
"""The stage that scores the segmenter that weak labels trained."""


@dataclass(frozen=True, slots=True)
class WeakOverBound:
    """A segmenter's mIoU beside that of the same one trained on true masks, in [0, 1]."""

    stage: str
    """That of the bound."""
    subject: str
    """The weak one's name: `segmenter` or `segmenter_tta_crf`."""
    bound: str
    """The bound's name: `bound`, `bound_same_schedule_tta_crf`, …"""
    weak_miou: float
    bound_miou: float

    @property
    def name(self) -> str:
        """Such as `weak_over_bound_tta_crf`."""
        return f"weak_over_{self.bound}"

    @property
    def ratio(self) -> float:
        """Weak/bound; above 1 where the weak one is better."""
        return self.weak_miou / self.bound_miou


def weak_over_bound(numbers: Mapping[str, Mapping[str, Any]]) -> tuple[WeakOverBound, ...]:
    """Every score of the segmenter beside the same score of each bound; empty where one is missing.

    Args:
        numbers: of the stages, by their names.
    """
    weak = numbers.get(WEAK, {})
    return tuple(
        WeakOverBound(stage, subject, f"{begin}{end}", float(ours), float(theirs))
        for stage, begin in BOUNDS.items()
        for subject, end in KINDS.items()
        if (ours := weak.get(f"{subject}_miou")) is not None
        and (theirs := numbers.get(stage, {}).get(f"{begin}{end}_miou"))
    )


def best_against_best(compared: Sequence[WeakOverBound]) -> WeakOverBound | None:
    """The best score of the segmenter against the best of the bound, whichever predictions have it.

    That is the bound whose schedule is for true masks, or the other one, if that is all there is;
    None where there is none.
    """
    of_bound = [one for one in compared if one.stage == compared[0].stage]
    if not of_bound:
        return None
    weak = max(of_bound, key=lambda one: one.weak_miou)
    bound = max(of_bound, key=lambda one: one.bound_miou)
    return replace(weak, bound=bound.bound, bound_miou=bound.bound_miou)


def without_bound(stages: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of all stages but the bound's."""
    return {stage: one for stage, one in stages.items() if stage not in BOUNDS}
