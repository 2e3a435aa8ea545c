"""Unary energies: minus the logarithm of how likely a label is, its neighbours unheard."""

import numpy as np
from jaxtyping import Float, Float32, UInt8

from wsss.data.sample import VOID_LABEL

MIN_PROBABILITY = 1e-5
"""Probabilities are clipped here before the logarithm, so that no label is ruled out for good."""


def energies_from_softmax(
    probabilities: Float[np.ndarray, "l h w"],
) -> Float32[np.ndarray, "l h w"]:
    """Unary energies `-log p`; `p` may be scores in [0, 1] that do not sum to 1."""
    energies: Float32[np.ndarray, "l h w"]
    energies = -np.log(np.clip(probabilities, MIN_PROBABILITY, 1)).astype(np.float32)
    return energies


def energies_from_labels(
    labels: UInt8[np.ndarray, "h w"], num_labels: int, gt_prob: float = 0.7
) -> Float32[np.ndarray, "l h w"]:
    """Unary energies of pixels whose label is right with probability `gt_prob`.

    The other labels share the rest evenly; where the label is void all are equally likely. Absent
    labels have the same energies everywhere, which engines may use.

    Args:
        labels: 0…`num_labels` − 1, or 255 where it is not known.
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
