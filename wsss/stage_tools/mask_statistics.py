"""Statistics of pseudo masks that need no ground truth."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import METRICS, LabelStore, Seeds, StatisticsStore, write_json
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL, Item
from wsss.metrics.agreement import label_agreement, pixel_entropy
from wsss.refine.pseudo_label import threshold_mask
from wsss.refine.thresholds import ThresholdRule
from wsss.stage_tools.context import Context

NUM_VALUES = VOID_LABEL + 1
DIGITS = 6
"""Of what is compared: more would differ between machines."""


def mask_statistics(
    mask: UInt8[np.ndarray, "h w"],
    restored: Sequence[int] = (),
    compared: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The pixels of a mask by label, the tags that would have vanished, and a comparison.

    Args:
        mask: 0 background, 1…C classes, 255 void.
        restored: mask values of the tags.
        compared: the mask with its seeds, if it was made of some.
    """
    labels, pixels = np.unique(mask, return_counts=True)
    counts = {str(label): int(count) for label, count in zip(labels, pixels, strict=True)}
    return {"pixels": counts, "restored": list(restored), "compared": dict(compared or {})}


def compare(mask: UInt8[np.ndarray, "h w"], seeds: Seeds, rule: ThresholdRule) -> dict[str, float]:
    """How sure the seeds of a mask are, and how much of them is left in it, both in [0, 1].

    At the seeds' size, a sixteenth of the mask's pixels, so that it costs next to nothing. An image
    without tags has no seeds, and nothing to compare.

    Returns:
        `seed_entropy`, the mean entropy of a pixel's label by seeds and threshold, and
        `seed_agreement`, the mean IoU of the thresholded seeds and the mask over background and
        tags.
    """
    if not len(seeds.labels):
        return {}
    height, width = seeds.maps.shape[1:]
    after = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    maps = seeds.maps.astype(np.float32)
    threshold = rule(maps)
    before = threshold_mask(maps, seeds.labels, threshold)
    found = {
        "seed_entropy": pixel_entropy(maps, threshold),
        "seed_agreement": label_agreement(before, after, seeds.labels.tolist()),
    }
    return {name: round(value, DIGITS) for name, value in found.items()}


def summarise_masks(
    store: StatisticsStore, items: Iterable[Item], class_names: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Statistics of all masks, read one by one.

    Returns:
        `images`; the means over images of the fractions of pixels that are labelled (`coverage`),
        foreground and void; `images_restored`, in which a tag would have vanished; means of what
        was compared with seeds, over the images that have it. And each class's share of all
        labelled pixels, background first, in [0, 1].
    """
    images = restored_images = 0
    void = foreground = 0.0
    total = np.zeros(NUM_VALUES, dtype=np.int64)
    compared: dict[str, list[float]] = defaultdict(list)
    for item in items:
        statistics = store.read(item)
        pixels = _by_value(statistics["pixels"])
        is_void, is_background = (
            pixels[at] / pixels.sum() for at in (VOID_LABEL, BACKGROUND_LABEL)
        )
        images += 1
        restored_images += bool(statistics["restored"])
        void += is_void
        foreground += 1 - is_void - is_background
        total += pixels
        for name, value in statistics.get("compared", {}).items():  # Earlier versions had none.
            compared[name].append(value)
    count = max(1, images)
    numbers = {
        "images": float(images),
        "coverage": 1 - float(void) / count,
        "foreground_fraction": float(foreground) / count,
        "void_fraction": float(void) / count,
        "images_restored": float(restored_images),
        **{name: float(np.mean(values)) for name, values in compared.items()},
    }
    labelled = max(1, int(total[:VOID_LABEL].sum()))
    names = ("background", *class_names)
    shares = {name: float(total[label] / labelled) for label, name in enumerate(names)}
    return numbers, shares


def _by_value(counts: Mapping[str, int]) -> np.ndarray:
    """Pixels by mask value, int64 [256]."""
    pixels = np.zeros(NUM_VALUES, dtype=np.int64)
    for label, count in counts.items():
        pixels[int(label)] = count
    return pixels


def write_summary(
    context: Context,
    items: Sequence[Item],
    masks: LabelStore,
    statistics: StatisticsStore,
    more: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Write the statistics of a stage's masks to `metrics.json`, and return its numbers.

    Args:
        context: of the stage; only the first process writes, and others get no numbers.
        items: the images; those without a mask are left out.
        masks: their masks.
        statistics: of each mask.
        more: further numbers of the stage.
    """
    if not context.is_main:
        return {}
    finished = (item for item in items if masks.has(item))
    numbers, shares = summarise_masks(statistics, finished, context.source.class_names)
    numbers |= more or {}
    write_json(context.folder / METRICS, {**numbers, "class_shares": shares})
    return numbers
