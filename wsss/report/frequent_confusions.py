"""The largest entries of a confusion matrix off its diagonal."""

from dataclasses import dataclass

import numpy as np

from wsss.report.confusion_picture import row_shares
from wsss.report.confusions import Counts


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pixels of one label that were taken for another."""

    true: int
    """Mask value; 0 is background."""
    taken_for: int
    """Mask value; one more than the last class stands for no label (void)."""
    share: float
    """Of the pixels of the true label, in [0, 1]."""
    of_wrong: float
    """Of all wrong pixels, in [0, 1]."""


def frequent_confusions(counts: Counts, most: int) -> tuple[Confusion, ...]:
    """The pairs of labels with the most wrong pixels, most first.

    Args:
        counts: pixels by true label (row) and predicted one; the last column those without.
        most: pairs at most.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    shares, total = row_shares(counts), max(1, int(wrong.sum()))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return tuple(
        Confusion(
            int(row), int(column), float(shares[row, column]), int(wrong[row, column]) / total
        )
        for row, column in places
        if wrong[row, column]
    )
