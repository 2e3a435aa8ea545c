"""Doubt: how much the results of an image contradict each other. No ground truth is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL
from wsss.metrics.agreement import label_agreement

Mask = UInt8[np.ndarray, "h w"]

MIN_SHARE = 0.01
"""A class counts as predicted where it has this share of the image's pixels at least."""

MEANINGS = {
    "seeds_and_mask": "seeds and pseudo mask differ",
    "undecided_seeds": "the seeds leave the label open",
    "lost_tags": "tags that the pseudo mask would not show",
    "without_label": "pixels without a label",
    "tags_and_prediction": "tags and predicted classes differ",
    "scales": "the two predictions differ",
}
"""What the parts of a doubt say, in a few words; each is in [0, 1], and 0 is no doubt."""


def train_doubt(tags: Sequence[int], statistics: Mapping[str, Any]) -> dict[str, float]:
    """The parts of the doubt about a training image, from the statistics of its pseudo mask.

    * `seeds_and_mask`: 1 − mean IoU of the thresholded seeds and the pseudo mask, over background
      and the image's tags.
    * `undecided_seeds`: mean entropy of a pixel's label by the seeds, of the largest possible.
    * `lost_tags`: share of the tags that the pseudo mask has no pixel of, or has some only because
      tags are kept.
    * `without_label`: share of the pixels that are void.

    Args:
        tags: mask values of the image's tags.
        statistics: of `refine`; without a comparison with seeds the first two are left out.
    """
    pixels = {int(label): int(count) for label, count in statistics["pixels"].items()}
    restored = {int(label) for label in statistics.get("restored", ())}
    compared = statistics.get("compared", {})
    found: dict[str, float] = {}
    if "seed_agreement" in compared:
        found["seeds_and_mask"] = 1 - float(compared["seed_agreement"])
        found["undecided_seeds"] = float(compared["seed_entropy"])
    if tags:
        lost = [label for label in tags if label in restored or not pixels.get(label)]
        found["lost_tags"] = len(lost) / len(tags)
    found["without_label"] = pixels.get(VOID_LABEL, 0) / max(1, sum(pixels.values()))
    return found


def val_doubt(
    tags: Sequence[int], prediction: Mask, averaged: Mask | None = None
) -> dict[str, float]:
    """The parts of the doubt about an image that the segmenter alone has seen.

    * `tags_and_prediction`: classes that are only tagged or only predicted, of all that are one
      or the other; a class is predicted where it has `MIN_SHARE` of the pixels.
    * `scales`: 1 − mean IoU of both predictions, over the labels that one of them has.

    Args:
        tags: mask values of the image's tags.
        prediction: at a single scale; 0 background, 1…C classes.
        averaged: of several scales, mirror images and the CRF; None where there is none.
    """
    labels, counts = np.unique(prediction, return_counts=True)
    shares = zip(labels.tolist(), (counts / prediction.size).tolist(), strict=True)
    seen = {label for label, share in shares if label != BACKGROUND_LABEL and share >= MIN_SHARE}
    either = seen | {*tags}
    found = {"tags_and_prediction": len(seen ^ {*tags}) / max(1, len(either))}
    if averaged is not None:
        found["scales"] = _difference(prediction, averaged)
    return found


def doubt(parts: Mapping[str, float]) -> float | None:
    """The mean of the parts, in [0, 1]; None without any."""
    return sum(parts.values()) / len(parts) if parts else None


def _difference(first: Mask, second: Mask) -> float:
    """1 − mean IoU of two masks over the labels that one of them has."""
    either = {*np.unique(first).tolist(), *np.unique(second).tolist()}
    classes = sorted(either - {BACKGROUND_LABEL, VOID_LABEL})
    return 1 - label_agreement(first, second, classes) if classes else 0.0
