"""Seeds by the trained classifier: a check of the method, and a file for every image."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from torch import Tensor

from wsss.artifacts import Seeds, SeedStore, StatisticsStore
from wsss.cams.core.method import CamMethod
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.errors import inside
from wsss.models import SplitClassifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import PerThread, ready
from wsss.stage_tools.network_files import write_network_files
from wsss.stage_tools.trained_classifier import trained_classifier, untrained_classifier


class ChecksModel(Protocol):
    """A method that needs certain parts of a classifier."""

    def check(self, model: SplitClassifier) -> None:
        """Raise a `WsssError` for a model that lacks a part."""


M = TypeVar("M", bound=ChecksModel)

STATISTICS = "statistics"
"""Folder of what was measured of each image."""
DIGITS = 6
"""Of what is measured: more would differ between machines."""


class ImageMaps(NamedTuple):
    """The maps of one image."""

    maps: Tensor
    """[n or more, h, w] in [0, 1], of its n tags."""
    scale_agreement: Tensor | None = None
    """[n or more] in [0, 1], if it was seen at several scales."""


def check_method(context: Context, method: ChecksModel) -> None:
    """Refuse a method that cannot work on this run's classifier before that is trained.

    Raises:
        WsssError: names what the method needs and a model that has it.
    """
    if "classify" in context.settings:
        model = untrained_classifier(context)
        with inside("method"):
            method.check(model)


def write_seeds(
    context: Context,
    method: M,
    maps_of: Callable[[SplitClassifier, M, PyramidBatch], list[ImageMaps]],
    scales: Scales,
    batch_size: int,
    description: str,
) -> dict[str, float]:
    """Write maps of every training image's tags by the trained classifier, as `seeds/<id>.npz`.

    Args:
        context: data, folders, processes.
        method: needs certain parts of the classifier.
        maps_of: from classifier, method and batch to the maps of each image.
        scales: sizes at which an image is seen.
        batch_size: images a forward pass; those of like size are batched.
        description: of the progress bar.

    Returns:
        `images`: number of seed files; `scale_agreement`, the mean over the images that have one.

    Raises:
        WsssError: the classifier lacks a part that the method needs, or too many images failed.
    """
    model = trained_classifier(context)
    with inside("method"):
        method.check(model)
    folds = not (isinstance(method, CamMethod) and method.follows_operations)
    networks = PerThread((ready(model, context, folds), method))
    items = context.items(TRAIN)
    store = SeedStore(context.folder / "seeds")
    statistics = StatisticsStore(context.folder / STATISTICS)

    def maps_of_batch(batch: PyramidBatch) -> list[ImageMaps]:
        return maps_of(*networks.value, batch)

    def write(item: Item, size: Size, found: ImageMaps) -> None:
        labels = np.array(item.labels, dtype=np.uint16)
        present = found.maps[: len(labels)].half().cpu().numpy()
        if found.scale_agreement is not None and len(labels):
            agreement = float(found.scale_agreement[: len(labels)].cpu().double().mean())
            statistics.write(item, {"scale_agreement": round(agreement, DIGITS)})
        store.write(item, Seeds(labels, present, size))

    # Some methods' maps depend on what else is in a batch, so that none is halved for its size.
    write_network_files(
        context, items, scales, store.has, maps_of_batch, write, description, batch_size,
        cpu_px=None,
    )  # fmt: skip
    numbers = {"images": float(sum(store.has(item) for item in items))}
    return numbers | mean_statistics(statistics, items) if context.is_main else numbers


def mean_statistics(store: StatisticsStore, items: Iterable[Item]) -> dict[str, float]:
    """The mean of each number over the images that have it; images without any are left out."""
    values: dict[str, list[float]] = {}
    for item in items:
        if store.has(item):  # Those of earlier versions were not measured.
            for name, value in store.read(item).items():
                values.setdefault(name, []).append(value)
    return {name: float(np.mean(of_images)) for name, of_images in values.items()}
