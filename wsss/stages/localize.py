"""Compute seeds: activation maps of every training image's tags."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from wsss.artifacts import SeedStore, seed_size
from wsss.cams.core.method import CamMethod
from wsss.cams.core.multiscale import multiscale_maps
from wsss.data.pyramids import PyramidBatch, PyramidBatches, Scales
from wsss.data.source import TRAIN
from wsss.errors import inside
from wsss.runtime.classifiers import trained_classifier
from wsss.runtime.context import Context
from wsss.runtime.forward import PerThread, ready
from wsss.runtime.loaders import pending_batches
from wsss.runtime.seeds import check_method, write_seeds

VERSION = 4
INPUTS = ("classify", "reactivate", "oppose")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "images"


def check(context: Context, *, method: CamMethod, **_: Any) -> None:
    """Refuse a method that cannot work on this run's classifier before that is trained.

    Raises:
        WsssError: names what the method needs and a model that has it.
    """
    check_method(context, method)


def run(
    context: Context, *, method: CamMethod, scales: Scales, flip: bool = True, batch_size: int = 8
) -> dict[str, float]:
    """Write the seeds of every training image, as `seeds/<id>.npz`.

    Args:
        context: data, folders, processes.
        method: computes raw maps.
        scales: sizes at which an image is seen.
        flip: see every scale mirrored, too.
        batch_size: images a forward pass; those of like size are batched.

    Returns:
        `images`: number of seed files.
    """
    model = trained_classifier(context)
    with inside("method"):
        method.check(model)
    networks = PerThread((ready(model, context), method))
    items = context.items(TRAIN)
    store = SeedStore(context.folder / "seeds")
    if method.sees_scales:
        scales, flip = replace(scales, factors=(1.0,)), False
    batches = pending_batches(context, items, scales, batch_size, store.folder, ".npz")
    loader = PyramidBatches(context.source, batches, scales).loader(context.workers)

    def maps_of(batch: PyramidBatch) -> list[Tensor]:
        if not batch.items:
            return []
        device = context.fabric.device
        sizes = [seed_size(*size) for size in batch.sizes]
        pyramid = [level.to(device) for level in batch.pyramid]
        classes = _padded_classes([item.labels for item in batch.items]).to(device)
        own_model, own_method = networks.value
        return multiscale_maps(own_model, own_method, pyramid, classes, sizes, flip)

    return write_seeds(context, store, maps_of, loader, len(batches), "localize")


def _padded_classes(labels: list[tuple[int, ...]]) -> Tensor:
    """Class indices [b, n] of tags, each row filled up with its first class (or class 0)."""
    longest = max(1, *map(len, labels)) if labels else 1
    rows = [[label - 1 for label in row] or [0] for row in labels]
    return torch.tensor([row + row[:1] * (longest - len(row)) for row in rows])
