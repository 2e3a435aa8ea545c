"""What the results of single images tell without ground truth, and their scores with it.

Statistics of pseudo masks are there already; those of predictions are computed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsss.artifacts import LabelStore, StatisticsStore, read_json
from wsss.data.item_table import select
from wsss.data.sample import VOID_LABEL, Item
from wsss.data.source import TRAIN, VAL
from wsss.report.doubt import doubt, train_doubt, val_doubt
from wsss.report.object_sizes import RegionTally, SizeBin, SizeTally
from wsss.report.read_scores import PSEUDO_MASKS, SEGMENTER
from wsss.report.results import PREDICTED_SHARE, PSEUDO_SHARE, DoubtfulImage
from wsss.stage_tools.context import Context
from wsss.stage_tools.mask_statistics import mask_statistics
from wsss.stage_tools.progress import track
from wsss.stage_tools.scoring import CountStore
from wsss.stage_tools.worker_pool import process_items

DIGITS = 4
"""Of the parts of a doubt."""
SCORED_BY = {TRAIN: PSEUDO_MASKS, VAL: SEGMENTER}
"""The subject whose score of an image is shown, by split."""
MASKS_OF = {TRAIN: PSEUDO_SHARE, VAL: PREDICTED_SHARE}
"""Whose masks a split's images are described by."""


@dataclass(slots=True)
class Facts:
    """What images tell together."""

    images: list[DoubtfulImage] = field(default_factory=list)
    """All of both splits, in their order."""
    shares: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Share of the labelled pixels of each label, background first, by whose masks they are."""
    sizes: dict[str, tuple[SizeBin, ...]] = field(default_factory=dict)
    """Objects by size, of subjects with ground truth, else of masks."""


@dataclass(frozen=True, slots=True)
class DescribePrediction:
    """Writes the statistics and the doubt of an image's predictions, in a CPU process."""

    single_scale: LabelStore
    averaged: LabelStore
    statistics: StatisticsStore

    def __call__(self, item: Item) -> None:
        """Describe an item that has a prediction."""
        prediction = self.single_scale.read(item)
        averaged = self.averaged.read(item) if self.averaged.has(item) else None
        parts = val_doubt(item.labels, prediction, averaged)
        self.statistics.write(item, {**mask_statistics(prediction), "doubt": parts})


def read_facts(context: Context) -> Facts:
    """Describe every image of both splits, one after the other."""
    facts = Facts()
    predicted = _describe_predictions(context)
    refined = None
    if "refine" in context.inputs:
        refined = StatisticsStore(context.inputs["refine"] / "statistics")
    for split, statistics in ((TRAIN, refined), (VAL, predicted)):
        _add_split(context, split, statistics, facts)
    return facts


def _describe_predictions(context: Context) -> StatisticsStore | None:
    """The statistics of all predictions on validation images; None where there are none."""
    if "evaluate" not in context.inputs:
        return None
    folder = context.inputs["evaluate"] / "predictions"
    statistics = StatisticsStore(context.folder / "statistics")
    task = DescribePrediction(
        LabelStore(folder / VAL), LabelStore(folder / f"{VAL}_tta_crf"), statistics
    )
    items = select(context.items(VAL), task.single_scale.has)
    pending = select(items, lambda item: not statistics.has(item))
    done = process_items(
        task, ((item,) for item in pending), context.workers, context.folder, context.measured
    )
    for _ in track(done, len(items), "describe predictions", len(items) - len(pending)):
        pass
    return statistics


def _add_split(
    context: Context, split: str, statistics: StatisticsStore | None, facts: Facts
) -> None:
    """Add the images of a split to the facts."""
    items, scores = context.items(split), _scores(context, split)
    total = np.zeros(VOID_LABEL + 1, dtype=np.int64)
    regions, objects = RegionTally(), SizeTally()
    for item in track(items, len(items), f"compare results, {split}"):
        parts: dict[str, float] = {}
        if statistics is not None and statistics.has(item):
            found = statistics.read(item)
            pixels = {int(label): int(count) for label, count in found["pixels"].items()}
            parts = found["doubt"] if "doubt" in found else train_doubt(item.labels, found)
            regions.add(pixels)
            for label, count in pixels.items():
                total[label] += count
        if (counts := _counts(context, split, item)) is not None:
            objects.add(counts)
        facts.images.append(_image(split, item, parts, scores.get(item.id)))
    if labelled := int(total[:VOID_LABEL].sum()):
        last = len(context.source.class_names) + 1
        facts.shares[MASKS_OF[split]] = tuple((total[:last] / labelled).tolist())
    if objects.counts.any():
        facts.sizes[SCORED_BY[split]] = objects.bins()
    else:
        facts.sizes[MASKS_OF[split]] = regions.bins()


def _image(
    split: str, item: Item, parts: Mapping[str, float], score: float | None
) -> DoubtfulImage:
    mean = doubt(parts)
    rounded = {name: round(value, DIGITS) for name, value in parts.items()}
    return DoubtfulImage(
        split, item.id, None if mean is None else round(mean, DIGITS), rounded, score
    )


def _counts(context: Context, split: str, item: Item) -> np.ndarray | None:
    """The pixels of an image by true and predicted label; None without ground truth."""
    if "evaluate" not in context.inputs:
        return None
    folder = context.inputs["evaluate"] / "counts"
    store = CountStore(folder / (TRAIN if split == TRAIN else f"{VAL}_predictions"))
    return store.read(item).get(SCORED_BY[split])


def _scores(context: Context, split: str) -> dict[str, float]:
    """The score of each image that has one, by id."""
    path = context.inputs.get("evaluate", Path()) / "images.json"
    every: Mapping[str, Any] = read_json(path).get(split, {}) if path.is_file() else {}
    subject = SCORED_BY[split]
    return {item_id: one[subject] for item_id, one in every.items() if subject in one}
