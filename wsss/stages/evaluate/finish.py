"""Post-processing of predictions in CPU processes, without torch: CRF, masks, scores."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from wsss.artifacts import LabelStore
from wsss.data.resizing import resize_mask, shrink
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.refine.dense_crf.engine import DenseCrfEngine, Problem
from wsss.refine.dense_crf.unaries import energies_from_softmax
from wsss.stages.evaluate.scoring import ScorePrediction


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output of a forward pass, reduced for the CPU processes."""

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

    def __call__(
        self,
        item: Item,
        prediction: Prediction,
        best: UInt8[np.ndarray, "h w"] | None = None,
    ) -> None:
        """Refine the averaged probabilities with the CRF, write both masks, count both.

        Args:
            item: an image.
            prediction: its output of the network.
            best: indices of labels, where the CRF was solved together with others.
        """
        image = self.source.read_image(item)
        if best is None and self.engine is not None:
            problem = crf_problem(image, prediction, self.max_side_px)
            (found,) = self.engine.label(*problem)
            best = found.labels
        elif best is None:
            best = prediction.probabilities.argmax(axis=0).astype(np.uint8)
        size = (image.shape[0], image.shape[1])
        masks = {
            "segmenter": resize_mask(prediction.single_scale, size),
            "segmenter_tta_crf": resize_mask(prediction.labels[best], size),
        }
        self.single_scale.write(item, masks["segmenter"])
        self.averaged.write(item, masks["segmenter_tta_crf"])
        self.score(item, masks)


def crf_problem(
    image: UInt8[np.ndarray, "_ _ 3"], prediction: Prediction, max_side_px: int
) -> Problem:
    """The CRF that refines the averaged probabilities, at the size at which they are."""
    energies = energies_from_softmax(prediction.probabilities.astype(np.float32))
    return Problem(shrink(image, max_side_px), [energies])
