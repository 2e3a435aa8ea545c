"""Post-processing of predictions in CPU processes, without torch: CRF, masks, scores."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import LabelStore
from wsss.data.resizing import resize_mask
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.stage_tools.predictions.prediction import Prediction, averaged_labels
from wsss.stage_tools.scoring import ScorePrediction


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
        labels = averaged_labels(image, prediction, self.engine, self.max_side_px, best)
        size = (image.shape[0], image.shape[1])
        masks = {
            "segmenter": resize_mask(prediction.single_scale, size),
            "segmenter_tta_crf": resize_mask(labels, size),
        }
        self.single_scale.write(item, masks["segmenter"])
        self.averaged.write(item, masks["segmenter_tta_crf"])
        confidence = prediction.confidence
        self.score(item, masks, None if confidence is None else resize_mask(confidence, size))
