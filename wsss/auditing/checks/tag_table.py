"""What the checks of tags look at: a table of images by classes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, slots=True)
class TagTable:
    """Images by classes; all numbers are those of heads that have not seen the image."""

    ids: tuple[str, ...]
    splits: tuple[str, ...]
    """Of each image."""
    class_names: tuple[str, ...]
    tags: Bool[np.ndarray, "n c"]
    probabilities: Float[np.ndarray, "n c"]
    """In [0, 1]."""
    compactness: Float[np.ndarray, "n c"]
    """Of the maps, in [0, 1]."""
    peak: Float[np.ndarray, "n c"]
    """Logit in the cells that speak for a class most."""
    erased: Float[np.ndarray, "n c"]
    """Probabilities with the objects of all tags filled in."""
    filled: Float[np.ndarray, "n c"]
    """Probability of each tag with its own object filled in; NaN of other classes."""
    outside: Float[np.ndarray, "n c"]
    """Share of a tag's evidence that is outside its refined object; NaN where there is none."""

    @property
    def self_confidence(self) -> Float[np.ndarray, " c"]:
        """Mean probability of a class over the images tagged with it; NaN of a class without.

        The thresholds of confident learning (Northcutt et al., JAIR 2021, eq. 2).
        """
        return _mean_where(self.probabilities, self.tags)

    @property
    def other_confidence(self) -> Float[np.ndarray, " c"]:
        """Mean probability of a class over the images not tagged with it; NaN where all are."""
        return _mean_where(self.probabilities, ~self.tags)

    @property
    def evidence(self) -> Float[np.ndarray, "n c"]:
        """The peaks of each class, 0 in a median image without its tag, 1 in a median one with it.

        NaN of a class that no image has, or all.
        """
        found = np.full(self.peak.shape, np.nan)
        for column in range(self.peak.shape[1]):
            values, tagged = self.peak[:, column].astype(np.float64), self.tags[:, column]
            if tagged.any() and not tagged.all():
                without, with_ = np.median(values[~tagged]), np.median(values[tagged])
                found[:, column] = (values - without) / max(float(with_ - without), 1e-6)
        return found


def suspicion(evidence: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """`1 / (1 + exp(-4 (x - 1/2)))`: half between images without and with a tag is 0.5."""
    return 1 / (1 + np.exp(-np.clip(4 * (evidence - 0.5), -50, 50)))


def _mean_where(
    values: Float[np.ndarray, "n c"], where: Bool[np.ndarray, "n c"]
) -> Float[np.ndarray, " c"]:
    count = where.sum(axis=0)
    total = np.where(where, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
