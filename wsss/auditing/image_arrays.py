"""What is computed of each image, in arrays over all images."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Float16, UInt8

from wsss.auditing.audited_run import AuditedRun
from wsss.auditing.checks.stamp import Parts
from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.disk_arrays import on_disk
from wsss.auditing.logistic_heads import sigmoid
from wsss.auditing.looks import ANCHORS, CELLS, LookStore
from wsss.auditing.map_shapes import overlap
from wsss.auditing.seen_images import SeenStore
from wsss.data.item_table import select
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.models import Backbone, SplitClassifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.pooled_features import features_path, store_pooled_features
from wsss.stage_tools.progress import track

VIEWS = 2
"""Of pooled features: the image and its mirror image."""


def pooled_features(
    context: Context, run: AuditedRun, model: SplitClassifier, items: Sequence[Item]
) -> tuple[Sequence[Item], Float[np.ndarray, "n v k"]]:
    """Pooled features of images and their mirror images: the run's, or else computed here.

    Args:
        context: its folder takes what is computed.
        run: what is audited.
        model: the classifier, whose backbone it is.
        items: images that can be read.

    Returns:
        The images that have features, and those, float32.

    Raises:
        WsssError: too many images failed.
    """
    folder = run.stored_features
    if folder is None or not all(features_path(folder, item).is_file() for item in items):
        folder = context.folder / "pooled"
        backbone = cast("Backbone", model.features)
        scales = Scales(multiple_px=backbone.output_stride)
        store_pooled_features(context, backbone, items, scales, 0, folder)
    there = select(items, lambda item: features_path(folder, item).is_file())
    views = [
        np.load(features_path(folder, item), allow_pickle=False, mmap_mode="r")[:VIEWS].copy()
        for item in track(there, len(there), "features", visible=context.is_main)
    ]
    return there, np.stack(views) if views else np.zeros((0, VIEWS, 0), np.float32)


def thumbnails_and_parts(
    store: LookStore, items: Sequence[Item], path: Path
) -> tuple[UInt8[np.ndarray, "n s s 3"], Parts]:
    """Thumbnails of all images, uint8 RGB [n s s 3], and their parts.

    Args:
        store: of what is kept of the pixels.
        items: images that are in it.
        path: of the file that takes the parts.
    """
    thumbnails, sizes = [], []

    def parts() -> Iterator[np.ndarray]:
        for item in items:
            look = store.read(item)
            thumbnails.append(look.thumbnail)
            sizes.append(look.size)
            yield look.parts

    grey = on_disk(path, (len(items), len(ANCHORS), CELLS, CELLS), "|u1", parts())
    return np.stack(thumbnails), Parts(grey, np.array(sizes, dtype=np.int64))


def best_cells(store: SeenStore, items: Sequence[Item], path: Path) -> Float16[np.ndarray, "n c d"]:
    """Features of the best cells of every image and class, float16 [n c d], on disk.

    Args:
        store: of what is seen.
        items: images that are in it, one at least.
        path: of the file.
    """
    shape = store.read(items[0]).best.shape
    return on_disk(path, (len(items), *shape), "<f2", (store.read(item).best for item in items))


def tag_table(
    items: Sequence[Item],
    splits: Sequence[str],
    names: tuple[str, ...],
    tags: Bool[np.ndarray, "n c"],
    probabilities: Float[np.ndarray, "n c"],
    logits: Float[np.ndarray, "n c"],
    store: SeenStore,
) -> tuple[TagTable, dict[tuple[int, int], float]]:
    """What is seen in all images, and how much maps of classes that are together overlap.

    Args:
        items: images that are in the store.
        splits: of each.
        names: of the classes.
        tags: of each image.
        probabilities: out of fold, given the whole image.
        logits: given the best cells.
        store: of what is seen.

    Returns:
        The table, and the mean overlap of the maps in [0, 1] by each pair of classes, from 0.
    """
    overlaps = defaultdict(list)
    # Only these of what is seen: maps and features of the best cells would fill memory.
    kept: dict[str, list[np.ndarray]] = {
        name: [] for name in ("compactness", "erased", "filled", "outside")
    }
    for item in items:
        seen = store.read(item)
        maps = dict(zip(seen.classes.tolist(), seen.maps.astype(np.float32), strict=True))
        for first, second in combinations([label - 1 for label in item.labels], 2):
            overlaps[first, second].append(overlap(maps[first], maps[second]))
        for name, rows in kept.items():
            rows.append(getattr(seen, name))
    columns = {name: np.stack(rows).astype(np.float64) for name, rows in kept.items()}
    table = TagTable(
        tuple(item.id for item in items),
        tuple(splits),
        names,
        tags,
        probabilities,
        best_cells=sigmoid(logits.astype(np.float64)),
        **columns,
    )
    return table, {pair: float(np.mean(some)) for pair, some in overlaps.items()}
