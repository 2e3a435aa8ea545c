"""The same images in several runs, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from wsss.artifacts import LabelStore, SeedStore
from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.differences import shared_settings
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL, Source
from wsss.errors import WsssError
from wsss.files import StorageError
from wsss.report.gallery_choice import SAMPLE, sample_gallery
from wsss.report.overlays import heat_overlay, label_overlay
from wsss.report.panels import Panel, fit, strongest

Stores = Mapping[tuple[str, str], Any]
LOOKED_AT = 64
"""Images at even distances among which those are looked for that differ most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A kind of result with what is drawn of it."""

    title: str
    split: str
    stage: str
    folder: str
    kind: type[LabelStore | SeedStore]


RESULTS = (
    Shown("Pseudo masks", TRAIN, "refine", "masks", LabelStore),
    Shown("Activation maps", TRAIN, "localize", "seeds", SeedStore),
    Shown("Predictions", VAL, "evaluate", "predictions/val", LabelStore),
)


@dataclass(frozen=True, slots=True)
class SameImage:
    """An image and its result in every run that has another one."""

    item_id: str
    tags: tuple[str, ...]
    difference: float | None
    """Mean fraction of pixels in which two runs differ; None of activation maps."""
    panels: tuple[Panel, ...]


def results_side_by_side(
    source: Source, runs: Sequence[ComparedRun], count: int, height_px: int
) -> dict[str, list[SameImage]]:
    """The images in which the runs differ most, and some at even distances, by kind of result.

    Args:
        source: the data set of all runs.
        runs: each named.
        count: images of each kind.
        height_px: of a picture.
    """
    shown: dict[str, list[SameImage]] = {}
    for result in RESULTS:
        stores = _distinct_stores(runs, result)
        maps_are_refined = result.stage == "localize" and "Pseudo masks" in shown
        if stores and not (maps_are_refined and len(stores) == 1):
            images = [*_images(source, result, stores, count, height_px)]
            shown |= {result.title: images} if images else {}
    return shown


def _distinct_stores(runs: Sequence[ComparedRun], result: Shown) -> Stores:
    """The stores of a result by the names of the runs that share each, and their settings."""
    sharing: dict[Path, list[str]] = {}
    for run in runs:
        if result.stage in run.folders:
            sharing.setdefault(run.folders[result.stage] / result.folder, []).append(run.label)
    return {
        (", ".join(names), shared_settings(runs, names)): result.kind(folder)
        for folder, names in sharing.items()
    }


def _images(
    source: Source, result: Shown, stores: Stores, count: int, height_px: int
) -> Iterator[SameImage]:
    looked_at = sample_gallery(source.items(result.split), LOOKED_AT)[SAMPLE]
    looked_at = [item for item in looked_at if all(one.has(item) for one in stores.values())]
    by_id = {item.id: item for item in looked_at}
    scores: dict[str, float] = {}
    if result.kind is LabelStore and len(stores) > 1:
        scores = {
            item.id: difference([s.read(item) for s in stores.values()]) for item in looked_at
        }
    most = sorted(scores, key=lambda one: (-scores[one], one))[: count - count // 2]
    evenly = sample_gallery([item.id for item in looked_at], count)[SAMPLE]
    even = [one for one in evenly if one not in most]
    for item_id in (*most, *even[: count - len(most)]):
        item = by_id[item_id]
        try:
            panels = tuple(_panels(source, item, stores, height_px))
        except StorageError:
            raise
        except WsssError:  # An image that no stage could read either.
            continue
        tags = tuple(source.class_names[label - 1] for label in item.labels)
        yield SameImage(item_id, tags, scores.get(item_id), panels)


def difference(masks: Sequence[UInt8[np.ndarray, "h w"]]) -> float:
    """The fraction of pixels in which two masks differ, mean over all pairs; in [0, 1]."""
    pairs = [float(np.mean(one != other)) for one, other in combinations(masks, 2)]
    return sum(pairs) / len(pairs)


def _panels(source: Source, item: Item, stores: Stores, height_px: int) -> Iterator[Panel]:
    image = source.read_image(item)
    height, width = fit(image.shape[0], image.shape[1], height_px)
    small = resized(image, height, width, cv2.INTER_AREA)
    yield Panel("image", small)
    for (names, settings), store in stores.items():
        found = store.read(item)
        if isinstance(store, SeedStore):
            heat: Float[np.ndarray, "h w"] = strongest(found, height, width)
            yield Panel(names, heat_overlay(small, heat), settings)
        else:
            labels = resized(found, height, width, cv2.INTER_NEAREST)
            yield Panel(names, label_overlay(small, labels), settings)


def resized(
    picture: UInt8[np.ndarray, "..."], height: int, width: int, interpolation: int
) -> UInt8[np.ndarray, "..."]:
    """A picture or mask at another size."""
    return cv2.resize(picture, (width, height), interpolation=interpolation).astype(np.uint8)
