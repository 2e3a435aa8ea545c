"""Results of an image, from the network's output, in a CPU process without torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import atomic
from wsss.data.resizing import resize_mask
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.predict.notes import Confidences, image_note
from wsss.predict.output_folder import OutputFolder
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.stage_tools.predictions.prediction import Prediction, averaged_labels


@dataclass(frozen=True, slots=True)
class WriteResults:
    """Writes what is asked for of an image: mask, overlay, probabilities, and the note, last."""

    source: Source
    output: OutputFolder
    engine: DenseCrfEngine | None
    max_side_px: int
    single_scale: bool
    """Whether the mask is that of one pass, and no average."""

    def __call__(
        self,
        item: Item,
        prediction: Prediction,
        best: UInt8[np.ndarray, "h w"] | None = None,
    ) -> None:
        """Write the results of an image that was seen as a whole.

        Args:
            item: an image.
            prediction: its output of the network.
            best: indices of labels, where the CRF was solved together with others.
        """
        image = self.source.read_image(item)
        chosen = prediction.single_scale
        if not self.single_scale:
            chosen = averaged_labels(image, prediction, self.engine, self.max_side_px, best)
        confidences = Confidences.none()
        confidences.add(chosen, prediction.labels, prediction.probabilities)
        if self.output.probabilities:
            self._write_probabilities(item, prediction)
        mask = resize_mask(chosen, (image.shape[0], image.shape[1]))
        self.write(item, image, mask, confidences)

    def write(
        self,
        item: Item,
        image: UInt8[np.ndarray, "h w 3"],
        mask: UInt8[np.ndarray, "h w"],
        confidences: Confidences,
        num_tiles: int = 1,
    ) -> None:
        """Write the results that follow from a mask.

        Args:
            item: an image.
            image: its pixels.
            mask: its predicted labels.
            confidences: of the labels.
            num_tiles: in how many tiles it was seen.
        """
        self.output.masks.write(item, mask)
        if self.output.overlays:
            from wsss.predict.overlay import overlay
            from wsss.report.panels import jpeg

            picture = jpeg(overlay(image, mask, self.source.class_names))
            with atomic(self.output.overlay(item)) as temporary:
                temporary.write_bytes(picture)
        note = image_note(str(item.image), mask, confidences, num_tiles)
        self.output.areas.write(item, note)

    def _write_probabilities(self, item: Item, prediction: Prediction) -> None:
        path = self.output.probability_file(item)
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, labels=prediction.labels, probabilities=prediction.probabilities)
