"""The output of a segmenter for an image, and the labels that follow from it; without torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from wsss.data.resizing import shrink
from wsss.refine.dense_crf.engine import DenseCrfEngine, Problem
from wsss.refine.dense_crf.unaries import energies_from_softmax


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output of a forward pass, reduced for the CPU processes."""

    single_scale: UInt8[np.ndarray, "h w"]
    labels: UInt8[np.ndarray, " n"]
    """Mask values of the labels that occur, background included."""
    probabilities: Float[np.ndarray, "n h w"]
    """Averaged over scales and mirror images."""
    confidence: UInt16[np.ndarray, "h w"] | None = None
    """Of the single scale: the largest probability of each pixel in units of 1/65535, where it was
    asked for."""


def averaged_labels(
    image: UInt8[np.ndarray, "_ _ 3"],
    prediction: Prediction,
    engine: DenseCrfEngine | None,
    max_side_px: int,
    best: UInt8[np.ndarray, "h w"] | None = None,
) -> UInt8[np.ndarray, "h w"]:
    """The labels of the averaged probabilities, refined by the CRF, at the size at which they are.

    Args:
        image: RGB, at its own size.
        prediction: the network's output for it.
        engine: of the CRF; None leaves it out.
        max_side_px: longer sides were reduced to it.
        best: indices of labels, where the CRF was solved together with others.
    """
    if best is None and engine is not None:
        (found,) = engine.label(*crf_problem(image, prediction, max_side_px))
        best = found.labels
    elif best is None:
        best = prediction.probabilities.argmax(axis=0).astype(np.uint8)
    return np.asarray(prediction.labels[best])


def crf_problem(
    image: UInt8[np.ndarray, "_ _ 3"], prediction: Prediction, max_side_px: int
) -> Problem:
    """The CRF that refines the averaged probabilities, at the size at which they are."""
    energies = energies_from_softmax(prediction.probabilities.astype(np.float32))
    return Problem(shrink(image, max_side_px), [energies])
