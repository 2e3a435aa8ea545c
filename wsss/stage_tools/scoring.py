"""Scores of label masks against ground truth, image by image."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8, UInt16

from wsss.artifacts import LabelStore, Seeds, SeedStore, as_written, atomic, opened
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.metrics.boundary import boundary_overlaps
from wsss.metrics.calibration import bin_counts, expected_calibration_error, reliability
from wsss.metrics.confusion import (
    confusion_matrix,
    coverage,
    iou_per_label,
    mean_iou,
    pixel_accuracy,
    void_as_background,
)
from wsss.metrics.overlaps import mean_iou_of_overlaps
from wsss.refine.pseudo_label import threshold_mask, upsample

Counts = Int64[np.ndarray, "c1 c2"]

SUBJECT_LABELS = {
    "seeds_oracle": "seeds, best threshold",
    "seeds": "seeds, default threshold",
    "propagated_seeds_oracle": "propagated seeds, best threshold",
    "propagated_seeds": "propagated seeds, default threshold",
    "probed_seeds_oracle": "probed seeds, best threshold",
    "probed_seeds": "probed seeds, even odds",
    "pseudo_masks": "pseudo masks",
    "segmenter": "segmenter",
    "segmenter_tta_crf": "segmenter, multi-scale + flip + CRF",
}
"""What is scored, and what it is called where it is shown."""

BOUNDARY, CALIBRATION = "boundary", "calibration"
"""Kinds of counts beside confusion matrices."""


def beside(subject: str, kind: str) -> str:
    """What counts of a kind are called that are beside the confusion matrix of a subject."""
    return f"{subject}/{kind}"


class CountStore:
    """A folder of confusion matrices, `<id>.npz`: one array a subject, so that scoring resumes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, item: Item) -> Path:
        """Where the counts of an item are."""
        return self.folder / f"{item.file_stem}.npz"

    def has(self, item: Item) -> bool:
        """Whether the counts of an item were written."""
        return self.path(item).is_file()

    def write(self, item: Item, counts: dict[str, np.ndarray]) -> None:
        """Write the counts of an item; an image without ground truth has none."""
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **counts)  # type: ignore[arg-type]

    def read(self, item: Item) -> dict[str, np.ndarray]:
        """Read the counts of an item; empty for an image without ground truth."""
        if not self.has(item):
            return {}
        path = self.path(item)
        with as_written(path), opened(path) as content:
            return dict(content)


@dataclass(frozen=True, slots=True)
class ScoreTrainItem:
    """Compares an image's seeds, at every threshold, and its pseudo mask with the ground truth.

    Counts are called as the kind of seeds, and `<kind>_curve` those at all thresholds.
    """

    source: Source
    counts: CountStore
    seeds: Mapping[str, SeedStore]
    masks: LabelStore
    thresholds: tuple[float, ...]
    fixed: Mapping[str, float]
    """A threshold beside them for each kind of seeds."""

    def __call__(self, item: Item) -> None:
        """Count the pixels of an item."""
        counts: dict[str, np.ndarray] = {}
        if (target := self.source.read_mask(item)) is not None:
            for name, store in self.seeds.items():
                if store.has(item):
                    *curve, fixed = self._seed_counts(store.read(item), target, self.fixed[name])
                    counts |= {name: fixed, f"{name}_curve": np.stack(curve)}
            if (counts or not self.seeds) and self.masks.has(item):
                mask, num_classes = self.masks.read(item), len(self.source.class_names)
                counts["pseudo_masks"] = confusion_matrix(mask, target, num_classes)
                outline = boundary_overlaps(mask, target, num_classes)
                counts[beside("pseudo_masks", BOUNDARY)] = outline
        self.counts.write(item, counts)

    def _seed_counts(
        self, seeds: Seeds, target: UInt8[np.ndarray, "h w"], fixed: float
    ) -> list[Counts]:
        """Counts of an image's seeds at all thresholds and the fixed one."""
        maps = upsample(seeds.maps, (target.shape[0], target.shape[1]))
        masks = (
            threshold_mask(maps, seeds.labels, threshold) for threshold in (*self.thresholds, fixed)
        )
        num_classes = len(self.source.class_names)
        return [confusion_matrix(mask, target, num_classes) for mask in masks]


@dataclass(frozen=True, slots=True)
class ScorePrediction:
    """Compares label masks of an image with the ground truth."""

    source: Source
    counts: CountStore
    boundaries: bool = False
    """Whether the overlaps of outlines are counted, too."""

    def __call__(
        self,
        item: Item,
        masks: dict[str, UInt8[np.ndarray, "h w"]],
        confidence: UInt16[np.ndarray, "h w"] | None = None,
    ) -> None:
        """Count the pixels of an item for each named mask.

        Args:
            item: the image.
            masks: by their names.
            confidence: of the first mask's labels, in units of 1/65535; counted where it is given.
        """
        target = self.source.read_mask(item)
        num_classes = len(self.source.class_names)
        counts: dict[str, np.ndarray] = {}
        if target is not None:
            for name, mask in masks.items():
                counts[name] = confusion_matrix(mask, target, num_classes)
                if self.boundaries:
                    counts[beside(name, BOUNDARY)] = boundary_overlaps(mask, target, num_classes)
            if confidence is not None:
                name, mask = next(iter(masks.items()))
                counts[beside(name, CALIBRATION)] = bin_counts(mask, confidence, target)
        self.counts.write(item, counts)


def total_counts(store: CountStore, items: Iterable[Item]) -> dict[str, np.ndarray]:
    """Sum of the counts of all items, by subject; `images` counts those with ground truth.

    Subjects without labelled pixels have no score and are left out.
    """
    totals: dict[str, np.ndarray] = {}
    for item in items:
        counts = store.read(item)
        for name, matrix in counts.items():
            totals[name] = totals.get(name, np.zeros_like(matrix)) + matrix
        if counts:
            totals["images"] = totals.get("images", np.zeros((), dtype=np.int64)) + 1
    return {name: total for name, total in totals.items() if total.any()}


def image_scores(
    store: CountStore, items: Iterable[Item], subjects: Sequence[str]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The id of each image, and its mean IoU over the labels present in it, by subject."""
    for item in items:
        counts = store.read(item)
        scores = {
            subject: mean_iou(void_as_background(counts[subject]))
            for subject in subjects
            if subject in counts
        }
        yield item.id, {name: score for name, score in scores.items() if not np.isnan(score)}


def share_of_exact_masks(store: CountStore, items: Iterable[Item], subject: str) -> float:
    """The share of masks that equal the ground truth in every pixel, in [0, 1].

    Of images with a class in their ground truth; 0 where there are none.
    """
    shown = exact = 0
    for item in items:
        matrix = store.read(item).get(subject)
        if matrix is not None and matrix[1:].any():
            shown += 1
            exact += int(np.trace(matrix)) == int(matrix.sum())
    return exact / max(1, shown)


def without_class(store: CountStore, items: Iterable[Item]) -> set[str]:
    """Ids of images that show no class, neither by their tags nor by their ground truth."""
    untagged = (item for item in items if not item.labels)
    return {
        item.id
        for item in untagged
        if not any(
            matrix[..., 1:, :].any()
            for name, matrix in store.read(item).items()
            if "/" not in name  # Counts beside others do not tell what the truth shows.
        )
    }


def summarise(counts: Counts) -> dict[str, Any]:
    """Scores of a confusion matrix as plain JSON; undefined ones are null.

    Missing predictions count as background; `covered_miou` leaves them out.
    """
    square = void_as_background(counts)
    return {
        "miou": mean_iou(square),
        "per_class_iou": [_null_if_nan(value) for value in iou_per_label(square)],
        "pixel_accuracy": pixel_accuracy(square),
        "coverage": coverage(counts),
        "covered_miou": _null_if_nan(mean_iou(counts[:, :-1])),
    }


def boundary_and_calibration(totals: Mapping[str, np.ndarray], subject: str) -> dict[str, Any]:
    """Boundary mIoU and calibration of a subject as plain JSON, where they were counted.

    Args:
        totals: of the counts of all images.
        subject: its name.

    Returns:
        `boundary_miou`; `calibration` with the expected error, `ece`, and for every bin that has
        pixels their number, mean confidence and accuracy.
    """
    found: dict[str, Any] = {}
    if (outline := totals.get(beside(subject, BOUNDARY))) is not None:
        found["boundary_miou"] = float(mean_iou_of_overlaps(outline))
    if (bins := totals.get(beside(subject, CALIBRATION))) is not None:
        found["calibration"] = {
            "ece": float(expected_calibration_error(bins)),
            "bins": [
                {"confidence": confidence, "accuracy": accuracy, "pixels": pixels}
                for confidence, accuracy, pixels in reliability(bins)
            ],
        }
    return found


def _null_if_nan(score: float) -> float | None:
    """JSON knows no NaN."""
    return None if np.isnan(score) else float(score)
