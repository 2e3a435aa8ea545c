"""The short pass over all seeds that finds one threshold of background for a whole data set."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from wsss.artifacts import SeedStore, read_json, write_json
from wsss.data.sample import Item
from wsss.refine.refinement import Refinement
from wsss.refine.thresholds import NUM_LEVELS, FixedThreshold, Pooled, count_levels
from wsss.stage_tools.context import Context

R = TypeVar("R", bound=Refinement)

FILE = "background.json"


def fit_to_data_set(context: Context, method: R, items: Iterable[Item], seeds: SeedStore) -> R:
    """The method, its pooled rule replaced by the threshold of the data set; others as they are.

    Rank 0 reads the seeds one by one, a millisecond each, and writes `background.json`; the other
    ranks, and a run that goes on after an interruption, read that. Counts are integers, so that
    their sum does not depend on any order.
    """
    if not isinstance(method.rule, Pooled):
        return method
    path = context.folder / FILE
    if context.is_main and not path.is_file():
        _write_estimate(path, method.rule, items, seeds)
    context.fabric.barrier()
    return method.with_rule(FixedThreshold(read_json(path)["threshold"]))


def _write_estimate(path: Path, rule: Pooled, items: Iterable[Item], seeds: SeedStore) -> None:
    """Add up the counts of all images that have seeds, and write the threshold they give."""
    counts, images = np.zeros(NUM_LEVELS, dtype=np.int64), 0
    for item in items:
        if seeds.has(item):  # Where not, the item will fail by itself.
            counts += count_levels(seeds.read(item).maps)
            images += 1
    threshold = rule.fitted(counts).threshold
    write_json(path, {"threshold": threshold, "images": images, "counts": counts.tolist()})
