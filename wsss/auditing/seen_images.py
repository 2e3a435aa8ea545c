"""What networks see in each image: maps, and probabilities with objects filled in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, Int64, UInt8

from wsss.artifacts import LabelStore
from wsss.artifacts.array_store import Arrays, ArrayStore
from wsss.auditing.filling import filled
from wsss.auditing.logistic_heads import Heads, sigmoid
from wsss.auditing.map_shapes import compactness
from wsss.data.colours import in_unit_range
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.sample import VOID_LABEL, Item
from wsss.metrics.explanation.outside import share_outside
from wsss.models import SplitClassifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import PerThread, ready
from wsss.stage_tools.network_files import write_network_files

MOST_UNTAGGED = 5
"""Maps that are kept of untagged classes, those that the image's best cells speak for most."""
BEST = 0.1
"""Share of an image's cells that speak for a class most: small objects hardly move the mean."""


@dataclass(frozen=True, slots=True)
class SeenImage:
    """What is seen in an image, by the heads of its fold."""

    maps: Float16[np.ndarray, "k h w"]
    """In [0, 1], at the resolution of the features."""
    classes: Int64[np.ndarray, " k"]
    """Of each map, from 0: the tags, then the untagged ones with the best cells."""
    compactness: Float32[np.ndarray, " c"]
    """Of the evidence for each class."""
    best: Float16[np.ndarray, "c d"]
    """Mean features of the cells that speak for each class most, a share of `BEST` of all."""
    outside: Float32[np.ndarray, " c"]
    """Of each tag, the share of its evidence that is not in its refined object; NaN of others."""
    erased: Float32[np.ndarray, " c"]
    """Probabilities where the objects of all tags are filled in."""
    filled: Float32[np.ndarray, " c"]
    """Of each tag, its probability where its own object is filled in; NaN of others."""


class SeenStore(ArrayStore[SeenImage]):
    """A folder of what is seen: `<id>.npz`."""

    kind = "evidence"
    stage = "audit"

    def packed(self, content: SeenImage) -> Arrays:
        """All of it, by the names of its parts."""
        return {name: getattr(content, name) for name in SeenImage.__slots__}

    def unpacked(self, arrays: Mapping[str, np.ndarray]) -> SeenImage:
        """What is seen in these."""
        return SeenImage(**{name: arrays[name] for name in SeenImage.__slots__})


@dataclass(frozen=True, slots=True)
class Eyes:
    """What an image is seen with."""

    heads: Mapping[str, Heads]
    """By id: those of its fold."""
    prior: Float[np.ndarray, " c"]
    """Logit of each class of an image of which nothing is known."""
    masks: LabelStore | None
    """Refined objects of training images."""


def see(
    context: Context, model: SplitClassifier, items: Sequence[Item], eyes: Eyes, store: SeenStore
) -> None:
    """Write what is seen in every image that has no file yet.

    Raises:
        WsssError: too many images failed.
    """
    scales = Scales(multiple_px=int(model.features.output_stride))  # type: ignore[arg-type]
    networks = PerThread((ready(model, context),))

    def computed(batch: PyramidBatch) -> list[SeenImage]:
        (network,) = networks.value
        return _seen(network, batch, eyes)

    def write(item: Item, _: Size, seen: SeenImage) -> None:
        store.write(item, seen)

    write_network_files(context, items, scales, store.has, computed, write, "maps, objects filled")


def cell_logits(features: Float[np.ndarray, "k h w"], heads: Heads) -> Float[np.ndarray, "c h w"]:
    """The logit of every class in each cell, `w · A + b`, whose mean is the image's logit.

    What it is above the logit of an image of which nothing is known is the evidence: a class
    activation map (Zhou et al. 2016, eq. 2) with an origin at which no cell speaks for or against
    the class.
    """
    found: Float[np.ndarray, "c h w"] = (
        np.einsum("ck,khw->chw", heads.weight, features, optimize=True) + heads.bias[:, None, None]
    )
    return found


def best_features(
    features: Float[np.ndarray, "d h w"], logits: Float[np.ndarray, "c h w"]
) -> Float[np.ndarray, "c d"]:
    """Mean features of the cells with the highest logits of each class, a share of `BEST` of all.

    The features of each cell are divided by their length, so that none outweighs the others.

    Args:
        features: of an image's cells.
        logits: of every class in each cell.
    """
    cells = features.reshape(len(features), -1)
    cells = cells / np.maximum(np.linalg.norm(cells, axis=0), 1e-6)
    found: Float[np.ndarray, "c d"] = cells[:, _best(logits)].mean(axis=2).T
    return found


def untagged(logits: Float[np.ndarray, "c h w"], tags: Collection[int]) -> list[int]:
    """The classes without a tag that their best cells speak for most, `MOST_UNTAGGED` of them.

    By the whole image they may be far behind: a small object hardly moves its mean. Missing tags
    are ranked by the best cells, so that these are the maps that a finding shows.

    Args:
        logits: of every class in each cell.
        tags: classes from 0.
    """
    best = np.take_along_axis(logits.reshape(len(logits), -1), _best(logits), axis=1).mean(axis=1)
    order = np.argsort(-best, kind="stable").tolist()
    return [one for one in order if one not in tags][:MOST_UNTAGGED]


def _best(logits: Float[np.ndarray, "c h w"]) -> Int64[np.ndarray, "c m"]:
    """Places of the cells with the highest logits of each class, a share of `BEST` of all."""
    flat = logits.reshape(len(logits), -1)
    count = max(1, round(BEST * flat.shape[1]))
    return np.argsort(-flat, axis=1, kind="stable")[:, :count]


def _seen(network: SplitClassifier, batch: PyramidBatch, eyes: Eyes) -> list[SeenImage]:
    images = batch.pyramid[0]
    features = _features(network, images)
    return [
        _of_image(network, item, images[row].permute(1, 2, 0).numpy(), features[row], eyes)
        for row, item in enumerate(batch.items)
    ]


def _of_image(
    network: SplitClassifier,
    item: Item,
    image: UInt8[np.ndarray, "H W 3"],
    features: Float[np.ndarray, "k h w"],
    eyes: Eyes,
) -> SeenImage:
    heads = eyes.heads[item.id]
    tags = [label - 1 for label in item.labels]
    cells = cell_logits(features, heads)
    raw = np.maximum(cells - eyes.prior[:, None, None], 0)
    peak = raw.max(axis=(1, 2), keepdims=True)
    maps = raw / np.where(peak > 0, peak, 1)
    probabilities = sigmoid(heads.logits(features.mean(axis=(1, 2))[None]))[0]
    mask = eyes.masks.read(item) if eyes.masks is not None and eyes.masks.has(item) else None
    size: Size = (image.shape[0], image.shape[1])
    objects, refined = _objects(maps, tags, mask, size)
    share = np.full(len(maps), np.nan, dtype=np.float32)
    for tag in tags:
        if tag in refined:
            ignored = _resized(mask == VOID_LABEL, size) if mask is not None else None
            fine = cv2.resize(maps[tag], size[::-1], interpolation=cv2.INTER_LINEAR)
            beside = share_outside(fine, objects[tag], ignored)
            share[tag] = np.nan if beside is None else beside
    variants = [filled(image, objects[tag]) for tag in tags]
    if len(tags) > 1:
        variants.append(filled(image, np.logical_or.reduce([objects[tag] for tag in tags])))
    alone = np.full(len(maps), np.nan, dtype=np.float32)
    erased = probabilities
    if variants:
        inputs = torch.from_numpy(np.stack(variants)).permute(0, 3, 1, 2)
        seen = _features(network, inputs).mean(axis=(2, 3))
        of_variants = sigmoid(heads.logits(seen))
        alone[tags] = of_variants[np.arange(len(tags)), tags]
        erased = of_variants[-1]
    classes = np.array([*tags, *untagged(cells, tags)], dtype=np.int64)
    return SeenImage(
        maps[classes].astype(np.float16),
        classes,
        compactness(raw).astype(np.float32),
        best_features(features, cells).astype(np.float16),
        share,
        erased.astype(np.float32),
        alone,
    )


def _objects(
    maps: Float[np.ndarray, "c h w"],
    tags: Sequence[int],
    mask: UInt8[np.ndarray, "_ _"] | None,
    size: Size,
) -> tuple[dict[int, Bool[np.ndarray, "H W"]], set[int]]:
    """The object of each tag, and the tags whose object is a refined one.

    Others are where the map is above half of its maximum.
    """
    objects, refined = {}, set()
    for tag in tags:
        if mask is not None and (mask == tag + 1).any():
            objects[tag] = _resized(mask == tag + 1, size)
            refined.add(tag)
        else:
            fine = cv2.resize(maps[tag], size[::-1], interpolation=cv2.INTER_LINEAR)
            objects[tag] = fine > 0.5
    return objects, refined


def _resized(mask: Bool[np.ndarray, "_ _"], size: Size) -> Bool[np.ndarray, "H W"]:
    found = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(found).astype(bool)


def _features(network: SplitClassifier, images: torch.Tensor) -> Float[np.ndarray, "b k h w"]:
    device = next(network.parameters()).device
    found: Float[np.ndarray, "b k h w"] = (
        network.features(in_unit_range(images.to(device))).float().cpu().numpy()
    )
    return found
