"""Predictions of the segmenter, single scale and averaged with a CRF."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from wsss.artifacts import LabelStore
from wsss.data.pyramids import PyramidBatch, PyramidBatches, Scales, plan_batches
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.models import Segmenter
from wsss.models.inference import label_probabilities
from wsss.refine.dense_crf.engine import DenseCrfEngine, energies_from_softmax
from wsss.refine.refinement import enlarge, shrink
from wsss.stages.context import Context
from wsss.stages.forward import map_batches
from wsss.stages.items import note_failure
from wsss.stages.scoring import ScorePrediction

PRESENT_PROBABILITY = 0.05
"""Labels that nowhere reach this probability are left out of the CRF."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a forward pass leaves for the CPU processes: small enough to be sent."""

    single_scale: UInt8[np.ndarray, "h w"]
    labels: UInt8[np.ndarray, " n"]
    """Mask values of the labels that occur, background included."""
    probabilities: Float[np.ndarray, "n h w"]
    """Averaged over scales and mirror images."""


@dataclass(frozen=True, slots=True)
class FinishPrediction:
    """Writes an image's predictions and scores them, in a CPU process."""

    source: Source
    single_scale: LabelStore
    averaged: LabelStore
    engine: DenseCrfEngine | None
    max_side_px: int
    score: ScorePrediction

    def __call__(self, item: Item, prediction: Prediction) -> None:
        """Refine the averaged probabilities with the CRF, write both masks, count both."""
        image = self.source.read_image(item)
        working = shrink(image, self.max_side_px)
        posterior = prediction.probabilities.astype(np.float32)
        if self.engine is not None:
            posterior = self.engine(working, energies_from_softmax(posterior))
        size = (image.shape[0], image.shape[1])
        masks = {
            "segmenter": enlarge(prediction.single_scale, size),
            "segmenter_tta_crf": enlarge(prediction.labels[posterior.argmax(axis=0)], size),
        }
        self.single_scale.write(item, masks["segmenter"])
        self.averaged.write(item, masks["segmenter_tta_crf"])
        self.score(item, masks)


def predictions(
    context: Context,
    segmenter: Segmenter,
    items: Sequence[Item],
    pending: set[str],
    scales: Scales,
    flip: bool,
    batch_size: int,
) -> Iterator[tuple[Any, ...]]:
    """Yield `(item, Prediction)` for this rank's share of planned batches with a pending item.

    The first scale without its mirror image is the single-scale prediction.
    """
    sizes = {item.id: context.size(item) for item in items}
    plan = context.share(plan_batches(items, sizes, scales, batch_size))
    batches = [batch for batch in plan if any(item.id in pending for item in batch)]
    device = context.fabric.device

    def predict(batch: PyramidBatch) -> list[Prediction]:
        if not batch.items:
            return []
        working = [scales.bounded(size) for size in batch.sizes]
        pyramid = [level.to(device) for level in batch.pyramid]
        single = label_probabilities(segmenter, pyramid[:1], working, flip=False)
        averaged = label_probabilities(segmenter, pyramid, working, flip)
        return [_prediction(one, mean) for one, mean in zip(single, averaged, strict=True)]

    loader = PyramidBatches(context.source, batches, scales).loader(context.workers)
    for batch, predicted in map_batches(context, predict, loader):
        for item, reason in batch.failures:
            note_failure(context.folder, item, reason)
        for item, prediction in zip(batch.items, predicted, strict=True):
            if item.id in pending:
                yield item, prediction


def _prediction(single: torch.Tensor, averaged: torch.Tensor) -> Prediction:
    present = averaged.amax(dim=(1, 2)) >= PRESENT_PROBABILITY
    return Prediction(
        single.argmax(dim=0).byte().cpu().numpy(),
        present.nonzero()[:, 0].byte().cpu().numpy(),
        averaged[present].half().cpu().numpy(),
    )
