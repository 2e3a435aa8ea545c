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
    best_cells: Float[np.ndarray, "n c"]
    """Probability given the cells that speak for a class most, by heads that learned from such."""
    erased: Float[np.ndarray, "n c"]
    """Probabilities with the objects of all tags filled in."""
    filled: Float[np.ndarray, "n c"]
    """Probability of each tag with its own object filled in; NaN of other classes."""
    outside: Float[np.ndarray, "n c"]
    """Share of a tag's evidence that is outside its refined object; NaN where there is none."""

    @property
    def with_tag(self) -> Float[np.ndarray, " c"]:
        """Mean of `best_cells` over the images tagged with each class; NaN of a class without.

        The thresholds of confident learning (Northcutt et al., JAIR 2021, eq. 2).
        """
        return mean_where(self.best_cells, self.tags)

    @property
    def without_tag(self) -> Float[np.ndarray, " c"]:
        """Mean of `best_cells` over the images not tagged with each class; NaN where all are."""
        return mean_where(self.best_cells, ~self.tags)


def mean_where(
    values: Float[np.ndarray, "n c"], where: Bool[np.ndarray, "n c"]
) -> Float[np.ndarray, " c"]:
    """Mean of the values of each column where it is asked for; NaN where nowhere."""
    count = where.sum(axis=0)
    total = np.where(where, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
