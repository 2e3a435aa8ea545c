"""Scores of runs with intervals, and their differences: a paired bootstrap over seeds and images.

All of it was computed with ground truth, by the stage `evaluate`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.groups import Group, grouped
from wsss.metrics.bootstrap import (
    RESAMPLES,
    Difference,
    difference,
    interval,
    over_seeds,
    resampled,
)
from wsss.metrics.calibration import NUM_BINS, expected_calibration_error
from wsss.metrics.overlaps import mean_iou_of_overlaps
from wsss.report.read_scores import PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF
from wsss.stage_tools.image_counts import IMAGE_COUNTS, ImageCounts, dense, read_image_counts
from wsss.stage_tools.progress import track
from wsss.stage_tools.scoring import SUBJECT_LABELS

MIOU, BOUNDARY_MIOU, ECE = "miou", "boundary_miou", "ece"
MEASURES = {
    MIOU: "mIoU",
    BOUNDARY_MIOU: "boundary mIoU",
    ECE: "expected calibration error (lower is better)",
}
COMPARED = (
    *((subject, MIOU) for subject in (PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF)),
    *((subject, BOUNDARY_MIOU) for subject in (PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF)),
    (SEGMENTER, ECE),
)
"""Subjects and measures, in the order in which they are shown."""
EVALUATE = "evaluate"

Ids = tuple[str, ...]
Counted = tuple[Int64[np.ndarray, "n k"], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The score of a group, the mean over its seeds, on all images that it was measured on."""

    group: Group
    value: float
    low: float
    high: float
    num_images: int


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """The second group's score minus the first one's, on the images of both."""

    first: Group
    second: Group
    difference: Difference | None
    """None where they cannot be compared."""
    num_images: int
    paired_seeds: bool
    """Whether both have the same seeds, several of them, which are drawn together."""
    problem: str = ""
    """Why they cannot be compared."""


@dataclass(frozen=True, slots=True)
class ComparedScore:
    """A measure of a subject in all groups."""

    subject: str
    measure: str
    scores: Sequence[GroupScore]
    differences: Sequence[GroupDifference]

    @property
    def title(self) -> str:
        """Such as `segmenter: mIoU`."""
        return f"{SUBJECT_LABELS[self.subject]}: {MEASURES[self.measure]}"


@dataclass(slots=True)
class Bootstrap:
    """Scores of evaluations on resamples of images, each computed once."""

    num_resamples: int
    seed: int = 0
    _counts: dict[Path, Mapping[str, ImageCounts]] = field(default_factory=dict)
    _draws: dict[tuple[Path, str, str, Ids], tuple[float, np.ndarray]] = field(default_factory=dict)

    def counts(self, run: ComparedRun, subject: str) -> ImageCounts | None:
        """The counts of a subject; None where it was not scored, or by an earlier version."""
        folder = run.folders.get(EVALUATE)
        if folder is None:
            return None
        if folder not in self._counts:
            self._counts[folder] = read_image_counts(folder / IMAGE_COUNTS)
        return self._counts[folder].get(subject)

    def scores(
        self, group: Group, subject: str, measure: str, ids: Ids
    ) -> tuple[float, Float[np.ndarray, "s r"]]:
        """The group's score on some images, and that of each of its seeds on every resample."""
        found = []
        for run in group.runs:
            key = (run.folders[EVALUATE], subject, measure, ids)
            if key not in self._draws:
                counts = self.counts(run, subject)
                assert counts is not None
                every, statistic = _of_images(counts, measure, ids)
                value = float(statistic(every.sum(axis=0)[None].astype(np.float64))[0])
                draws = resampled(every, statistic, self.num_resamples, self.seed)
                self._draws[key] = value, draws
            found.append(self._draws[key])
        return float(np.mean([value for value, _ in found])), np.stack([one for _, one in found])


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """All measures of all groups; all of it is oracle."""

    groups: Sequence[Group]
    scores: Sequence[ComparedScore]
    num_resamples: int
    without_counts: Sequence[str]
    """Names of runs that were scored by a version that kept no counts of single images."""

    @property
    def has_seeds(self) -> bool:
        """Whether a group has several seeds, which are drawn as well."""
        return any(len(group.seeds) > 1 for group in self.groups)


def compare_scores(
    runs: Sequence[ComparedRun], num_resamples: int = RESAMPLES, visible: bool = True
) -> ScoreComparison:
    """Every measure that runs have, with intervals, and all differences.

    Runs that differ by their seed alone are one group: trainings are drawn first, then images.

    Args:
        runs: those that were not scored are left out.
        num_resamples: of seeds and images; 0 compares nothing.
        visible: whether to show a progress bar.
    """
    groups = grouped(runs)
    if not num_resamples:
        return ScoreComparison(groups, [], 0, [])
    scores = compared_scores(groups, Bootstrap(num_resamples))
    shown = track(scores, len(COMPARED), "compare scores", visible=visible, unit="score")
    found = [one for one in shown if one is not None]
    return ScoreComparison(groups, found, num_resamples, without_counts(runs))


def compared_scores(
    groups: Sequence[Group], bootstrap: Bootstrap
) -> Iterator[ComparedScore | None]:
    """Each of `COMPARED` for the groups that have it, with all differences of two; else None.

    Args:
        groups: of runs that differ by the seed alone.
        bootstrap: draws the images.
    """
    for subject, measure in COMPARED:
        measured = [
            one for one in groups if all(_has(bootstrap, run, subject, measure) for run in one.runs)
        ]
        scores = [_score(one, subject, measure, bootstrap) for one in measured]
        pairs = combinations(measured, 2)
        differences = [_difference(*pair, subject, measure, bootstrap) for pair in pairs]
        yield ComparedScore(subject, measure, scores, differences) if measured else None


def without_counts(runs: Sequence[ComparedRun]) -> list[str]:
    """Names of runs that were scored by a version that kept no counts of single images."""
    return [
        run.name
        for run in runs
        if EVALUATE in run.manifests
        and run.manifests[EVALUATE].numbers
        and not (run.folders[EVALUATE] / IMAGE_COUNTS).is_file()
    ]


def _has(bootstrap: Bootstrap, run: ComparedRun, subject: str, measure: str) -> bool:
    counts = bootstrap.counts(run, subject)
    if counts is None or not counts.images:
        return False
    needed = {BOUNDARY_MIOU: counts.boundary, ECE: counts.calibration}
    return measure == MIOU or needed[measure] is not None


def _score(group: Group, subject: str, measure: str, bootstrap: Bootstrap) -> GroupScore:
    ids = _common([group], subject, bootstrap)
    if not ids:
        return GroupScore(group, np.nan, np.nan, np.nan, 0)
    value, draws = bootstrap.scores(group, subject, measure, ids)
    low, high = interval(over_seeds(draws, bootstrap.seed))
    return GroupScore(group, value, float(low), float(high), len(ids))


def _difference(
    first: Group, second: Group, subject: str, measure: str, bootstrap: Bootstrap
) -> GroupDifference:
    ids = _common([first, second], subject, bootstrap)
    paired = len(first.seeds) > 1 and first.seeds == second.seeds
    if not ids:
        problem = "no image was scored in all of these runs"
    elif not _same_truth([*first.runs, *second.runs], subject, ids, bootstrap):
        problem = "their ground truth differs: these are other images"
    else:
        problem = ""
    if problem:
        return GroupDifference(first, second, None, len(ids), paired, problem)
    ours, own = bootstrap.scores(first, subject, measure, ids)
    theirs, others = bootstrap.scores(second, subject, measure, ids)
    stream = 0 if paired else 1
    draws = over_seeds(others, bootstrap.seed, stream) - over_seeds(own, bootstrap.seed)
    return GroupDifference(first, second, difference(theirs - ours, draws), len(ids), paired)


def _common(groups: Sequence[Group], subject: str, bootstrap: Bootstrap) -> Ids:
    """Ids of the images that were scored in all runs, in the order of the first."""
    every = [
        counts.images
        for group in groups
        for run in group.runs
        if (counts := bootstrap.counts(run, subject)) is not None
    ]
    shared = set(every[0]).intersection(*every[1:])
    return tuple(one for one in every[0] if one in shared)


def _same_truth(runs: Sequence[ComparedRun], subject: str, ids: Ids, bootstrap: Bootstrap) -> bool:
    """Whether every image has the same true pixels of each label in all runs."""
    found = [counts for run in runs if (counts := bootstrap.counts(run, subject)) is not None]
    num_labels = max(_num_labels(one.overlaps) for one in found)
    first, *others = (_chosen(one, one.overlaps, ids, num_labels)[:, :, 2] for one in found)
    return all(np.array_equal(first, other) for other in others)


def _of_images(counts: ImageCounts, measure: str, ids: Ids) -> Counted:
    """Counts of chosen images, flat, and the score that follows from their sums."""
    if measure == ECE:
        assert counts.calibration is not None
        bins = counts.calibration[_positions(counts, ids)].reshape(len(ids), -1)
        return bins, lambda sums: expected_calibration_error(sums.reshape(-1, NUM_BINS, 3))
    entries = counts.overlaps if measure == MIOU else counts.boundary
    assert entries is not None
    every = _chosen(counts, entries, ids, _num_labels(entries))
    shape = every.shape[1:]
    return every.reshape(len(ids), -1), lambda sums: mean_iou_of_overlaps(sums.reshape(-1, *shape))


def _chosen(
    counts: ImageCounts, entries: np.ndarray, ids: Ids, num_labels: int
) -> Int64[np.ndarray, "n c1 3"]:
    return dense(entries, len(counts.images), num_labels)[_positions(counts, ids)]


def _positions(counts: ImageCounts, ids: Ids) -> list[int]:
    place = {name: position for position, name in enumerate(counts.images)}
    return [place[one] for one in ids]


def _num_labels(entries: np.ndarray) -> int:
    return 1 + int(entries[:, 1].max(initial=0))
