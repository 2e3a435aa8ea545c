"""One pass of the classifier over a data set: what it sees wrong, and the features of that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float16, UInt8
from omegaconf import OmegaConf

from wsss.artifacts import LabelStore, seed_size
from wsss.cams.cam import CAM
from wsss.cams.core.method import CamMethod
from wsss.cams.core.multiscale import multiscale_maps
from wsss.data.colours import in_unit_range
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.resizing import resize_mask
from wsss.data.sample import VOID_LABEL, Item
from wsss.explain.summary.evidence_store import EvidenceStore, ImageEvidence
from wsss.explain.summary.summarised_run import MASKS, SummarisedRun
from wsss.explain.summary.wrong_evidence import (
    MISSED,
    OUTSIDE,
    Failure,
    failures_by_mask,
    failures_by_tags,
    pooled,
    prediction_failures_by_tags,
    shares_of_labels,
    wrong_pixels,
)
from wsss.metrics.explanation.outside import share_outside
from wsss.models import SplitClassifier
from wsss.settings.build import build
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import PerThread, ready
from wsss.stage_tools.network_files import write_network_files
from wsss.stage_tools.trained_classifier import trained_classifier

Labels = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the classifier computes of an image."""

    probabilities: Float[np.ndarray, " c"]
    features: Float[np.ndarray, "k _ _"]
    maps: dict[int, Float[np.ndarray, "h w"]]
    """Of labels that have no stored map and are seen wrong, at the size of seeds."""


@dataclass(frozen=True, slots=True)
class Views:
    """The two networks that are looked at, with the evidence of each image."""

    classifier: EvidenceStore
    segmenter: EvidenceStore
    predicted: LabelStore | None
    """Predictions of the segmenter; None where there is none."""

    def lacks(self, item: Item) -> bool:
        """Whether an image has not been looked at."""
        predicted = self.predicted is not None and self.predicted.has(item)
        return not self.classifier.has(item) or (predicted and not self.segmenter.has(item))


def look_at(
    context: Context, run: SummarisedRun, items: Sequence[Item], views: Views, by: str
) -> None:
    """Write the evidence of every image that has none.

    Maps are computed as the run computed them, of those classes only that are seen wrong and have
    no stored map. Features and probabilities are those of the scale nearest to 1.

    Args:
        context: data, folder, processes; stages' folders as inputs.
        run: what the stages left.
        items: images of both splits.
        views: take the evidence.
        by: `tags` or `masks`.

    Raises:
        WsssError: the classifier is not the data set's, or too many images failed.
    """
    if not any(views.lacks(item) for item in items):
        return
    settings = run.map_settings
    method: CamMethod = build(OmegaConf.create(settings["method"])) if settings else CAM()
    scales: Scales = build(OmegaConf.create(settings["scales"])) if settings else Scales()
    if method.sees_scales:
        scales = replace(scales, factors=(1.0,))
    model = trained_classifier(context)
    method.check(model)
    for network in method.networks():
        network.to(context.fabric.device).eval()
    networks = PerThread((ready(model, context, folds=not method.follows_operations), method))

    def seen_in(batch: PyramidBatch) -> list[Seen]:
        return _seen(*networks.value, batch, scales, settings.get("flip", False), wanted)

    def wanted(item: Item, probabilities: Float[np.ndarray, " c"]) -> list[int]:
        if by == MASKS:
            return []
        stored = item.labels if run.seeds.has(item) else ()
        found = [one.label for one in failures_by_tags(item.labels, probabilities, {})]
        if views.predicted is not None and views.predicted.has(item):
            predicted = prediction_failures_by_tags(item.labels, views.predicted.read(item))
            found += [one.label for one in predicted if one.kind == MISSED]
        return [label for label in dict.fromkeys(found) if label not in stored]

    def write(item: Item, size: Size, seen: Seen) -> None:
        if views.predicted is not None and views.predicted.has(item):
            prediction = views.predicted.read(item)
            views.segmenter.write(item, _of_prediction(run, item, prediction, size, seen, by))
        views.classifier.write(item, _of_classifier(run, item, size, seen, by))

    write_network_files(
        context, items, scales, lambda item: not views.lacks(item), seen_in, write, "look at",
        cpu_px=None,
    )  # fmt: skip


def _seen(
    model: SplitClassifier,
    method: CamMethod,
    batch: PyramidBatch,
    scales: Scales,
    flip: bool,
    wanted: Callable[[Item, Float[np.ndarray, " c"]], list[int]],
) -> list[Seen]:
    """Probabilities, features and wanted maps of a batch's images."""
    device = next(model.parameters()).device
    nearest = min(range(len(scales.factors)), key=lambda one: abs(scales.factors[one] - 1))
    features = model.features(in_unit_range(batch.pyramid[nearest].to(device)))
    probabilities = model.probabilities(model.head(features)).float().cpu().numpy()
    labels = [wanted(*one) for one in zip(batch.items, probabilities, strict=True)]
    rows = [row for row, of_image in enumerate(labels) if of_image]
    found: dict[int, dict[int, Float[np.ndarray, "h w"]]] = {}
    if rows:
        longest = max(len(labels[row]) for row in rows)
        padded = [labels[row] + labels[row][:1] * (longest - len(labels[row])) for row in rows]
        maps = multiscale_maps(
            model,
            method,
            [level[rows].to(device) for level in batch.pyramid],
            torch.tensor(padded, device=device) - 1,
            [seed_size(*batch.sizes[row]) for row in rows],
            flip and not method.sees_scales,
        )
        found = {
            row: dict(zip(labels[row], one.float().cpu().numpy(), strict=False))
            for row, one in zip(rows, maps, strict=True)
        }
    vectors = features.float().cpu().numpy()
    return [
        Seen(probabilities[row], vectors[row], found.get(row, {}))
        for row in range(len(batch.items))
    ]


def _of_classifier(
    run: SummarisedRun, item: Item, size: Size, seen: Seen, by: str
) -> ImageEvidence:
    """The evidence of a classifier, or by masks that of the pseudo masks."""
    small = seed_size(*size)
    masks = run.pseudo_masks
    mask = masks.read(item) if masks is not None and masks.has(item) else None
    if by == MASKS:
        truth = None if mask is None else run.source.read_mask(item)
        if mask is None or truth is None:
            return _evidence((), [], seen.probabilities, seen, small)
        return _of_masks(mask, truth, seen.probabilities, seen, small)
    heats = _heats(run, item, seen)
    objects = None if mask is None else resize_mask(mask, small)
    outside: dict[int, float] = {}
    if objects is not None:
        for tag in item.labels:
            if tag in heats and (objects == tag).any():
                share = share_outside(heats[tag], objects == tag, objects == VOID_LABEL)
                outside |= {} if share is None else {tag: share}
    failures = failures_by_tags(item.labels, seen.probabilities, outside)
    # What is wrong about evidence that is also elsewhere is only what is elsewhere.
    weights = [
        np.where(np.isin(objects, (one.label, VOID_LABEL)), 0, heats[one.label])
        if one.kind == OUTSIDE and objects is not None
        else heats[one.label]
        for one in failures
    ]
    shown = [heats[one.label] for one in failures]
    return _evidence(failures, shown, seen.probabilities, seen, small, weights)


def _heats(run: SummarisedRun, item: Item, seen: Seen) -> dict[int, Float[np.ndarray, "h w"]]:
    """The maps of an image by label, those that the run has stored among them."""
    heats = dict(seen.maps)
    if run.seeds.has(item):
        seeds = run.seeds.read(item)
        for label, heat in zip(seeds.labels.tolist(), seeds.maps, strict=True):
            heats[label] = heat.astype(np.float32)
    return heats


def _of_prediction(
    run: SummarisedRun, item: Item, prediction: Labels, size: Size, seen: Seen, by: str
) -> ImageEvidence:
    """The evidence of a segmenter's prediction."""
    small = seed_size(*size)
    scores = np.zeros(len(seen.probabilities), dtype=np.float32)
    for label, share in shares_of_labels(prediction).items():
        if label:
            scores[label - 1] = share
    if by == MASKS:
        truth = run.source.read_mask(item)
        if truth is None:
            return _evidence((), [], scores, seen, small)
        return _of_masks(prediction, truth, scores, seen, small)
    failures = prediction_failures_by_tags(item.labels, prediction)
    # Of a tag that has no pixels it is told where the classifier sees it.
    shown = [
        _heats(run, item, seen)[one.label]
        if one.kind == MISSED
        else reduced(prediction == one.label, small)
        for one in failures
    ]
    return _evidence(failures, shown, scores, seen, small)


def _of_masks(
    labels: Labels, truth: Labels, scores: Float[np.ndarray, " c"], seen: Seen, small: Size
) -> ImageEvidence:
    failures = failures_by_mask(labels, truth)
    shown = [reduced(wrong_pixels(one, labels, truth), small) for one in failures]
    return _evidence(failures, shown, scores, seen, small)


def _evidence(
    failures: Sequence[Failure],
    shown: Sequence[Float[np.ndarray, "h w"]],
    scores: Float[np.ndarray, " c"],
    seen: Seen,
    small: Size,
    weights: Sequence[Float[np.ndarray, "h w"]] | None = None,
) -> ImageEvidence:
    """The record of an image, with the features under each failure's evidence."""
    height, width = seen.features.shape[1:]
    count, num_features = len(failures), len(seen.features)
    maps: Float16[np.ndarray, "n h w"] = np.zeros((count, *small), dtype=np.float16)
    features = np.zeros((count, num_features), dtype=np.float32)
    for row, heat in enumerate(shown):
        weight = heat if weights is None else weights[row]
        maps[row] = heat
        features[row] = pooled(seen.features, reduced(weight, (height, width)))
    everywhere = np.ones((height, width), dtype=np.float32)
    whole = pooled(seen.features, everywhere)
    return ImageEvidence(scores.astype(np.float32), whole, tuple(failures), maps, features)


def reduced(heat: np.ndarray, size: Size) -> Float[np.ndarray, "_ _"]:
    """A map, or a mask as 0 and 1, at another size: by area."""
    height, width = size
    values = heat.astype(np.float32)
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA))
