"""Cells of feature maps with the shares of their labels: a few of each image, computed once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float16, Float32, UInt8

from wsss.artifacts import LabelStore
from wsss.artifacts.array_store import Arrays, ArrayStore
from wsss.data.colours import in_unit_range
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.random_seeds import sample_seed
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.models import SplitClassifier
from wsss.refine.hypercolumn_probe import HypercolumnProbe
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import PerThread, ready
from wsss.stage_tools.network_files import write_network_files


class Cells(NamedTuple):
    """Some cells of an image's feature maps."""

    features: Float16[np.ndarray, "n k"]
    shares: Float16[np.ndarray, "n c1"]
    """Of background and each class in the labelled pixels of the cell; they add up to 1."""


class CellStore(ArrayStore[Cells]):
    """A folder of cells: `<id>.npz` with `features` and `shares`; no pickle."""

    kind = "labelled cells"
    stage = "probe"
    deflated = False

    def packed(self, content: Cells) -> Arrays:
        """Both, by their names."""
        return content._asdict()

    def unpacked(self, arrays: Mapping[str, np.ndarray]) -> Cells:
        """The cells of these."""
        return Cells(arrays["features"], arrays["shares"])


def store_cells(
    context: Context,
    model: SplitClassifier,
    probe: HypercolumnProbe,
    items: Sequence[Item],
    labels: LabelStore,
    scales: Scales,
    flip: bool,
    cells_per_pass: int,
    store: CellStore,
) -> None:
    """Write the cells of every image, drawn anew from each scale and its mirror image.

    Items are shared out over the ranks; existing files are kept; the function returns on all ranks
    at once.

    Args:
        context: processes, and the seed that cells are drawn with.
        model: the classifier.
        probe: computes its features.
        items: with labels.
        labels: of each image, at its size.
        scales: at which an image is seen.
        flip: see every scale mirrored, too.
        cells_per_pass: cells that are drawn from a feature map, if so many have labels.
        store: of the files.

    Raises:
        WsssError: too many images failed.
    """
    num_labels = len(context.source.class_names) + 1
    networks = PerThread((ready(model, context), probe))

    def cells_of(batch: PyramidBatch) -> list[Cells]:
        own_model, own_probe = networks.value
        levels = [in_unit_range(level.to(context.fabric.device)) for level in batch.pyramid]
        masks = [labels.read(item) for item in batch.items]
        drawn: list[list[Cells]] = [[] for _ in batch.items]
        for number, level in enumerate(levels):
            for mirrored in (False, True) if flip else (False,):
                images = level.flip(-1) if mirrored else level
                maps = torch.cat(own_probe.features(own_model, images), dim=1)
                for index, (item, mask) in enumerate(zip(batch.items, masks, strict=True)):
                    seen = mask[:, ::-1] if mirrored else mask
                    shares = shares_of_cells(seen, (maps.shape[2], maps.shape[3]), num_labels)
                    # Of a pass, as if it were an epoch.
                    pass_number = 2 * number + mirrored
                    seed = sample_seed(context.seed, pass_number, crc32(item.id.encode()))
                    drawn[index].append(draw_cells(maps[index], shares, cells_per_pass, seed))
        return [Cells(*map(np.concatenate, zip(*one, strict=True))) for one in drawn]

    def write(item: Item, _: Size, cells: Cells) -> None:
        store.write(item, cells)

    # All of the stage's failures are counted, those of images that no cell is drawn from as well.
    num_images = len(context.items(TRAIN))
    write_network_files(
        context, items, scales, store.has, cells_of, write, "cells", num_images=num_images
    )


def shares_of_cells(
    mask: UInt8[np.ndarray, "H W"], size: tuple[int, int], num_labels: int
) -> Float32[np.ndarray, "h w c1"]:
    """The share of each label in the labelled pixels below each cell of a map of `size`.

    Cells that see no labelled pixel have 0 everywhere.

    Args:
        mask: 0 background, 1…C classes, 255 void.
        size: height and width of the map.
        num_labels: C + 1.
    """
    shares = np.zeros((*size, num_labels), dtype=np.float32)
    for label in np.unique(mask):
        if label < num_labels:
            own = (mask == label).astype(np.float32)
            shares[..., label] = cv2.resize(own, size[::-1], interpolation=cv2.INTER_AREA)
    total = shares.sum(axis=-1, keepdims=True)
    known: Float32[np.ndarray, "h w c1"] = shares / np.where(total > 0, total, 1)
    return known


def draw_cells(
    maps: Float[torch.Tensor, "k h w"],
    shares: Float32[np.ndarray, "h w c1"],
    count: int,
    seed: int,
) -> Cells:
    """`count` cells with labels, or all that have some, without any twice."""
    labelled = np.flatnonzero(shares.any(axis=-1))
    chosen = np.random.default_rng(seed).permutation(labelled)[:count]
    at = torch.from_numpy(chosen).to(maps.device)
    features = maps.flatten(1)[:, at].half().T.contiguous().cpu().numpy()  # Cell by cell.
    return Cells(features, shares.reshape(-1, shares.shape[-1])[chosen].astype(np.float16))
