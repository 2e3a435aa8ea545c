"""What is wrong in an image: by its tags alone, or by its mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL
from wsss.explain.class_choice import PRESENT

MISSED, UNTAGGED, OUTSIDE, PIXELS = "missed", "untagged", "outside", "pixels"
KINDS = {
    MISSED: "tagged, not seen",
    UNTAGGED: "seen, not tagged",
    OUTSIDE: "seen beside the object",
    PIXELS: "wrong pixels",
}
"""Kinds of failures, and how they are told."""

MOST_OUTSIDE = 0.5
"""Share of the evidence of a class beside its object above which it is wrong evidence."""
LEAST_SHARE = 0.01
"""Share of an image's pixels below which neither a prediction nor a mistake is counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is wrong in an image."""

    kind: str
    """One of `KINDS`."""
    label: int
    """The class whose evidence is wrong, 1…C; of wrong pixels the predicted label, 0…C."""
    wrongness: float
    """In [0, 1]: how sure a mistake is, how much of the evidence is elsewhere, or how many of the
    image's pixels are wrong."""
    true_label: int = 0
    """Of wrong pixels."""


def failures_by_tags(
    tags: Sequence[int],
    probabilities: Float[np.ndarray, " c"],
    outside: Mapping[int, float],
) -> list[Failure]:
    """What a classifier has wrong in an image, by the tags.

    A tag that is not seen is as wrong as its probability is far from 1; a class that is seen
    without a tag is as wrong as it is probable; a tag that is seen for other reasons than its
    object is as wrong as the share of its evidence outside.

    Args:
        tags: labels 1…C.
        probabilities: of each class.
        outside: share of the evidence outside the object, by tag; those without are not known.
    """
    found = [
        Failure(MISSED, tag, 1 - float(probabilities[tag - 1]))
        for tag in tags
        if probabilities[tag - 1] < PRESENT
    ]
    found += [
        Failure(UNTAGGED, label, float(probabilities[label - 1]))
        for label in range(1, len(probabilities) + 1)
        if label not in tags and probabilities[label - 1] >= PRESENT
    ]
    missed = {one.label for one in found}
    found += [
        Failure(OUTSIDE, tag, outside[tag])
        for tag in tags
        if tag not in missed and outside.get(tag, 0) > MOST_OUTSIDE
    ]
    return found


def prediction_failures_by_tags(
    tags: Sequence[int], prediction: UInt8[np.ndarray, "h w"]
) -> list[Failure]:
    """What a segmenter has wrong in an image, by the tags.

    A tag without pixels is wholly wrong; pixels of a class that is no tag are as wrong as they are
    many of all object's pixels. Fewer than `LEAST_SHARE` of an image are none.

    Args:
        tags: labels 1…C.
        prediction: 0 background, 1…C classes.
    """
    seen = shares_of_labels(prediction)
    found = [Failure(MISSED, tag, 1.0) for tag in tags if seen.get(tag, 0) < LEAST_SHARE]
    objects = sum(share for label, share in seen.items() if label != BACKGROUND_LABEL)
    found += [
        Failure(UNTAGGED, label, share / objects)
        for label, share in seen.items()
        if label not in (*tags, BACKGROUND_LABEL) and share >= LEAST_SHARE
    ]
    return found


def failures_by_mask(
    labels: UInt8[np.ndarray, "h w"], truth: UInt8[np.ndarray, "h w"]
) -> list[Failure]:
    """The wrong pixels of an image by true and predicted label, the most first.

    Pixels without a label on either side count neither way; mistakes of fewer than `LEAST_SHARE` of
    the others are none.

    Args:
        labels: pseudo mask or prediction: 0 background, 1…C classes, 255 void.
        truth: the same.
    """
    valid = (labels != VOID_LABEL) & (truth != VOID_LABEL)
    if not valid.any():
        return []
    pairs, counts = np.unique(np.stack([truth[valid], labels[valid]]), axis=1, return_counts=True)
    shares = counts / valid.sum()
    found = [
        Failure(PIXELS, int(label), float(share), int(true))
        for (true, label), share in zip(pairs.T, shares, strict=True)
        if true != label and share >= LEAST_SHARE
    ]
    return sorted(found, key=lambda one: -one.wrongness)


def wrong_pixels(
    failure: Failure, labels: UInt8[np.ndarray, "h w"], truth: UInt8[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Where the pixels of a failure by masks are."""
    return np.asarray((labels == failure.label) & (truth == failure.true_label))


def shares_of_labels(labels: UInt8[np.ndarray, "h w"]) -> dict[int, float]:
    """The share of an image's pixels that have each label; void is none."""
    counts = np.bincount(labels.ravel(), minlength=VOID_LABEL + 1)[:VOID_LABEL]
    return {int(label): float(counts[label] / labels.size) for label in counts.nonzero()[0]}


def pooled(
    features: Float[np.ndarray, "k h w"], weights: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, " k"]:
    """The mean of feature vectors, weighted by a map: `Σ m f / Σ m`; unweighted if it is 0.

    Args:
        features: of an image.
        weights: not negative, at the same size.
    """
    flat = weights.astype(np.float64).ravel()
    if (total := flat.sum()) == 0:
        flat, total = np.ones_like(flat), float(flat.size)
    vectors = features.reshape(len(features), -1).astype(np.float64)
    return np.asarray(vectors @ flat / total, dtype=np.float32)
