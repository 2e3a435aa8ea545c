"""What a summary tells of one network: mean maps, failure groups, and what is taken for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int64

from wsss.artifacts import LabelStore, SeedStore, seed_size
from wsss.data.item_table import select
from wsss.data.resizing import resize_mask
from wsss.data.sample import VOID_LABEL, Item
from wsss.explain.summary.class_mean_maps import ClassMeanMaps
from wsss.explain.summary.confusion_cells import (
    Cell,
    cells,
    cells_of_pixels,
    pairs_of_tags,
    tag_matrix,
)
from wsss.explain.summary.evidence_pass import reduced
from wsss.explain.summary.evidence_store import EvidenceStore, ImageEvidence
from wsss.explain.summary.failure_groups import Group, failure_groups
from wsss.explain.summary.wrong_evidence import LEAST_SHARE, MISSED, OUTSIDE, PIXELS, Failure
from wsss.stage_tools.progress import track
from wsss.stage_tools.scoring import CountStore

MOST_CLUSTERED = 3000
"""Failures that are grouped: the most wrong ones. Their distances take 8 bytes a pair."""

CLASSIFIER, SEGMENTER = "classifier", "segmenter"


@dataclass(frozen=True, slots=True)
class Found:
    """A failure, and where its evidence is stored."""

    item: Item
    position: int
    """Among those of its image."""
    failure: Failure


@dataclass(frozen=True, slots=True)
class Findings:
    """What is told of one network."""

    network: str
    """`classifier` or `segmenter`."""
    by: str
    num_images: int
    mean_maps: Mapping[int, ClassMeanMaps]
    """By label."""
    failures: Sequence[Found]
    """All of them, the most wrong first."""
    groups: Sequence[Group]
    """Of the first `num_clustered` failures, by their positions."""
    num_clustered: int
    cells: Sequence[Cell]
    matrix: Int64[np.ndarray, "_ _"]
    """Images by tag and class seen, or pixels by true and predicted label."""
    store: EvidenceStore = field(repr=False)

    def failures_in(self, cell: Cell) -> list[Found]:
        """The failures that put a cell's images into it, the most wrong first."""
        wanted = dict.fromkeys(cell.images)
        chosen: dict[str, Found] = {}
        for one in self.failures:
            if one.item.id in wanted and _is_of(one.failure, cell):
                chosen.setdefault(one.item.id, one)
        return [chosen[item_id] for item_id in cell.images if item_id in chosen]


def _is_of(failure: Failure, cell: Cell) -> bool:
    """Whether a failure of one of a cell's images is the one that put it there."""
    if failure.kind == PIXELS:
        return (failure.true_label, failure.label) == (cell.true, cell.seen)
    return failure.kind != OUTSIDE and failure.label == (cell.seen or cell.true)


def findings(
    network: str,
    items: Sequence[Item],
    store: EvidenceStore,
    mean_maps: Mapping[int, ClassMeanMaps],
    by: str,
    counts: tuple[CountStore, str] | None,
    num_classes: int,
) -> Findings:
    """Group what is wrong, and count what is taken for what.

    Args:
        network: `classifier` or `segmenter`.
        items: images that were looked at.
        store: their evidence.
        mean_maps: of each class.
        by: `tags` or `masks`.
        counts: where pixels were counted by masks, and of what; None by tags.
        num_classes: C.
    """
    found: list[Found] = []
    vectors: dict[tuple[str, int], np.ndarray] = {}
    pooled: Float[np.ndarray, " k"] = np.zeros(())
    pairs: dict[str, dict[tuple[int, int], float]] = {}
    for item in track(items, len(items), f"read {network}"):
        evidence = store.read(item)
        pooled = pooled + evidence.pooled.astype(np.float64)
        for position, failure in enumerate(evidence.failures):
            found.append(Found(item, position, failure))
            vectors[item.id, position] = evidence.features[position]
        if counts is None:
            pairs[item.id] = _pairs(item, evidence)
    found.sort(key=lambda one: (-one.failure.wrongness, one.item.id, one.position))
    some = found[:MOST_CLUSTERED]
    groups: list[Group] = []
    if some:
        groups = failure_groups(
            np.stack([vectors[one.item.id, one.position] for one in some]),
            pooled / len(items),
            [one.item.id for one in some],
            [one.failure.wrongness for one in some],
        )
    if counts is None:
        matrix = tag_matrix(pairs.values(), num_classes)
        confused = cells(pairs.items())
    else:
        stored, subject = counts
        by_image = {item.id: stored.read(item).get(subject) for item in items}
        counted = {one: matrix for one, matrix in by_image.items() if matrix is not None}
        empty = np.zeros((num_classes + 1, num_classes + 2), dtype=np.int64)
        matrix = sum(counted.values(), empty)
        confused = cells_of_pixels(counted, LEAST_SHARE)
    return Findings(
        network, by, len(items), mean_maps, found, groups, len(some), confused, matrix, store
    )


def _pairs(item: Item, evidence: ImageEvidence) -> dict[tuple[int, int], float]:
    """The cells of an image by its tags, and how wrong it is in each."""
    failures = [one for one in evidence.failures if one.kind != OUTSIDE]
    wrongness = {one.label: one.wrongness for one in failures}
    missed = {one.label for one in failures if one.kind == MISSED}
    seen = ({*item.labels} | {*wrongness}) - missed
    return {
        (tag, label): wrongness.get(label or tag, 0.0)
        for tag, label in pairs_of_tags(item.labels, seen)
    }


def mean_maps_of_seeds(
    items: Sequence[Item], seeds: SeedStore, masks: LabelStore | None
) -> dict[int, ClassMeanMaps]:
    """Mean maps of each class over the training images that are tagged with it.

    Args:
        items: training images.
        seeds: their maps; images without are left out.
        masks: their refined objects; None: no object is known.
    """
    found: dict[int, ClassMeanMaps] = {}
    there = select(items, seeds.has)
    for item in track(there, len(there), "mean maps"):
        stored = seeds.read(item)
        size = seed_size(*stored.size)
        mask = None
        if masks is not None and masks.has(item):
            mask = resize_mask(masks.read(item), size)
        ignored = None if mask is None else mask == VOID_LABEL
        for label, heat in zip(stored.labels.tolist(), stored.maps, strict=True):
            whole = None if mask is None else mask == label
            found.setdefault(label, ClassMeanMaps()).add(heat.astype(np.float32), whole, ignored)
    return dict(sorted(found.items()))


def mean_maps_of_predictions(
    items: Sequence[Item], predictions: LabelStore
) -> dict[int, ClassMeanMaps]:
    """Mean predictions of each class over the images that are tagged with it.

    Args:
        items: validation images with a prediction.
        predictions: their label masks; an image's own prediction stands for the object.
    """
    found: dict[int, ClassMeanMaps] = {}
    for item in track(items, len(items), "mean predictions"):
        labels = predictions.read(item)
        size = seed_size(*labels.shape)
        for label in item.labels:
            heat = reduced(labels == label, size)
            found.setdefault(label, ClassMeanMaps()).add(heat, heat >= 0.5, of_itself=True)
    return dict(sorted(found.items()))
