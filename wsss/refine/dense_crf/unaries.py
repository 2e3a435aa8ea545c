"""Unary energies: minus the log-probability of each label at each pixel."""

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from wsss.data.sample import VOID_LABEL

MIN_PROBABILITY = 1e-5
"""Lower bound of probabilities, which keeps energies finite."""


def energies_from_softmax(
    probabilities: Float[np.ndarray, "l h w"],
) -> Float32[np.ndarray, "l h w"]:
    """Unary energies `-log p`; `p` may be unnormalised scores in [0, 1]."""
    energies: Float32[np.ndarray, "l h w"]
    energies = -np.log(np.clip(probabilities, MIN_PROBABILITY, 1)).astype(np.float32)
    return energies


def energies_from_labels(
    labels: UInt8[np.ndarray, "h w"], num_labels: int, gt_prob: float = 0.7
) -> Float32[np.ndarray, "l h w"]:
    """Unary energies of pixels whose label is right with probability `gt_prob`.

    The other labels share the rest evenly; void pixels have a uniform distribution. Absent labels
    have equal energies everywhere, and so share a channel (`shared_channels`).

    Args:
        labels: 0…`num_labels` − 1, or 255 void.
        num_labels: at least 2.
        gt_prob: in (0, 1). IRN and ReCAM use 0.7.

    Raises:
        ValueError: an argument is out of these ranges.
    """
    if num_labels < 2:
        raise ValueError(f"num_labels={num_labels}: expected at least 2")
    if not 0 < gt_prob < 1:
        raise ValueError(f"gt_prob={gt_prob}: expected a probability between 0 and 1")
    known = labels != VOID_LABEL
    if (largest := int(labels.max(initial=0, where=known))) >= num_labels:
        raise ValueError(f"labels up to {largest}: expected 0…{num_labels - 1}, or {VOID_LABEL}")
    certain, rest = -np.log(gt_prob), -np.log((1 - gt_prob) / (num_labels - 1))
    energies = np.full((num_labels, *labels.shape), rest, dtype=np.float32)
    np.copyto(energies, np.float32(np.log(num_labels)), where=~known)
    for label in range(num_labels):
        energies[label][labels == label] = certain
    return energies


def shared_channels(
    energies: Float32[np.ndarray, "l h w"],
) -> tuple[list[int], Int64[np.ndarray, " l"]]:
    """Group labels of equal energies, hence equal posteriors, into channels.

    Returns:
        The first label of each channel, and each label's channel.
    """
    flat = energies.reshape(len(energies), -1)
    glimpse = flat[:, :: max(1, flat.shape[1] // 64)]
    first: list[int] = []
    channel_of = np.empty(len(flat), dtype=np.int64)
    for label, row in enumerate(flat):
        for channel, other in enumerate(first):
            if np.array_equal(glimpse[label], glimpse[other]) and np.array_equal(row, flat[other]):
                channel_of[label] = channel
                break
        else:
            channel_of[label] = len(first)
            first.append(label)
    return first, channel_of
