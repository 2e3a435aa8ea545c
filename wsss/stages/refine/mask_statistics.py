"""Statistics of pseudo masks that need no ground truth."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import METRICS, LabelStore, read_json, write_json
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL, Item
from wsss.stage_tools.context import Context

NUM_VALUES = VOID_LABEL + 1


class StatisticsStore:
    """A folder of `<id>.json`: pixels by label of an image's mask, and tags that were restored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, item: Item) -> Path:
        """Where the statistics of an item are."""
        return self.folder / f"{item.file_stem}.json"

    def write(self, item: Item, mask: UInt8[np.ndarray, "h w"], restored: Sequence[int]) -> None:
        """Count the pixels of a mask, and note the tags that would have vanished from it."""
        labels, pixels = np.unique(mask, return_counts=True)
        counts = {str(label): int(count) for label, count in zip(labels, pixels, strict=True)}
        write_json(self.path(item), {"pixels": counts, "restored": list(restored)})

    def read(self, item: Item) -> tuple[np.ndarray, list[int]]:
        """Pixels by mask value, int64 [256], and the restored tags."""
        content = read_json(self.path(item))
        pixels = np.zeros(NUM_VALUES, dtype=np.int64)
        for label, count in content["pixels"].items():
            pixels[int(label)] = count
        return pixels, content["restored"]


def summarise_masks(
    store: StatisticsStore, items: Iterable[Item], class_names: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Statistics of all masks, read one by one.

    Returns:
        `images`; the means over images of the fractions of pixels that are labelled (`coverage`),
        foreground and void; `images_restored`, in which a tag would have vanished. And each class's
        share of all labelled pixels, background first, in [0, 1].
    """
    images = restored_images = 0
    void = foreground = 0.0
    total = np.zeros(NUM_VALUES, dtype=np.int64)
    for item in items:
        pixels, restored = store.read(item)
        is_void, is_background = (
            pixels[at] / pixels.sum() for at in (VOID_LABEL, BACKGROUND_LABEL)
        )
        images += 1
        restored_images += bool(restored)
        void += is_void
        foreground += 1 - is_void - is_background
        total += pixels
    count = max(1, images)
    numbers = {
        "images": float(images),
        "coverage": 1 - float(void) / count,
        "foreground_fraction": float(foreground) / count,
        "void_fraction": float(void) / count,
        "images_restored": float(restored_images),
    }
    labelled = max(1, int(total[:VOID_LABEL].sum()))
    names = ("background", *class_names)
    shares = {name: float(total[label] / labelled) for label, name in enumerate(names)}
    return numbers, shares


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
