"""Predictions of the segmenter, single scale and averaged."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt16

from wsss.data.pyramids import PyramidBatch, PyramidBatches, Scales, plan_batches
from wsss.data.resizing import shrunk_size
from wsss.data.sample import Item
from wsss.metrics.calibration import FULL
from wsss.models import Segmenter
from wsss.models.feature_maps import CPU_PX
from wsss.models.inference import first_and_mean_probabilities
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import map_batches
from wsss.stage_tools.predictions.prediction import Prediction
from wsss.stage_tools.worker_pool import note_failure

PRESENT_PROBABILITY = 0.05
"""Labels that nowhere reach this probability, or win a pixel, are left out of the CRF."""


def predictions(
    context: Context,
    segmenter: Segmenter,
    items: Sequence[Item],
    pending: set[str],
    scales: Scales,
    flip: bool,
    batch_size: int,
    confidences: bool = False,
) -> Iterator[tuple[Any, ...]]:
    """Yield `(item, Prediction)` for this rank's share of planned batches with a pending item.

    The first scale without its mirror image is the single-scale prediction.
    """
    plan = context.share(plan_batches(items, context.size, scales, batch_size))
    batches = [batch for batch in plan if any(item.id in pending for item in batch)]
    loader = PyramidBatches(context.source, batches, scales).loader(context.workers)
    predict = predictor(context, segmenter, scales, flip, confidences)
    for batch, predicted in map_batches(context, predict, loader, CPU_PX):
        for item, reason in batch.failures:
            note_failure(context.folder, item, reason)
        for item, prediction in zip(batch.items, predicted, strict=True):
            if item.id in pending:
                yield item, prediction


def predictor(
    context: Context,
    segmenter: Segmenter,
    scales: Scales,
    flip: bool,
    confidences: bool = False,
) -> Callable[[PyramidBatch], list[Prediction]]:
    """The function from a batch to the prediction of each of its images, on the context's device.

    Predictions are as large as the images, whose longer sides are reduced to that of the scales.
    """
    device = context.fabric.device

    def predict(batch: PyramidBatch) -> list[Prediction]:
        working = [shrunk_size(size, scales.max_side_px) for size in batch.sizes]
        pyramid = [level.to(device) for level in batch.pyramid]
        found = first_and_mean_probabilities(segmenter, pyramid, working, flip)
        return [_prediction(single, averaged, confidences) for single, averaged in found]

    return predict


def _prediction(single: torch.Tensor, averaged: torch.Tensor, with_confidence: bool) -> Prediction:
    present = averaged.amax(dim=(1, 2)) >= PRESENT_PROBABILITY
    # Of more than 20 labels none may reach it.
    present[torch.unique(averaged.argmax(dim=0))] = True
    return Prediction(
        single.argmax(dim=0).byte().cpu().numpy(),
        present.nonzero()[:, 0].byte().cpu().numpy(),
        averaged[present].half().cpu().numpy(),
        _in_16_bit(single.amax(dim=0)) if with_confidence else None,
    )


def _in_16_bit(fractions: torch.Tensor) -> UInt16[np.ndarray, "h w"]:
    """Fractions in [0, 1] in units of 1/65535: a pixel's rounding error is below 1e-5."""
    return (FULL * fractions).round().int().cpu().numpy().astype(np.uint16)
