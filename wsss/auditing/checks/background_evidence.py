"""Classes that are known by what is around them."""

import numpy as np
from jaxtyping import Float

from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.finding import CheckResult, Finding, ranked

LEAST_IMAGES = 5
"""With the tag, for a class to be examined."""
SURVIVAL, ABOVE_OTHERS = 0.8, 2.0
"""Least survival, and how far above the median of all classes, in robust deviations."""
LEAST_CLASSES = 3
"""Of which the median tells something."""
MOST_IMAGES = 12
RULE = (
    "Classes are ranked by how well images with the tag are still told from images without it when "
    "the object is filled in, and by the share of evidence outside the refined object; flagged is "
    f"a class that is still told from {SURVIVAL:.0%} of the others, and, of three classes or more, "
    f"by {ABOVE_OTHERS:g} robust deviations better than the median class is."
)


def background_evidence(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `background_evidence`, one a class.

    Survival is the probability that a tagged image with its object filled in gets a higher
    probability out of fold than an image without the tag: the area under the ROC curve (Mann and
    Whitney's U), 0.5 where nothing is left of the evidence. The score is
    `(2 · survival - 1) · (1 + outside) / 2`, not below 0, with the mean share of positive evidence
    outside the refined objects; where there are none, with 0, and the evidence does not tell it.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    columns, survivals, shares = [], [], []
    for column in range(len(table.class_names)):
        tagged = table.tags[:, column]
        if tagged.sum() < LEAST_IMAGES or tagged.all():
            continue
        columns.append(column)
        survivals.append(auc(table.filled[tagged, column], table.probabilities[~tagged, column]))
        of_class = table.outside[tagged, column]
        known = np.isfinite(of_class)
        shares.append(float(of_class[known].mean()) if known.any() else None)
    bound = _bound(np.array(survivals))
    findings = []
    for column, survival, share in zip(columns, survivals, shares, strict=True):
        name = table.class_names[column]
        rows = np.flatnonzero(table.tags[:, column])
        worst = rows[np.argsort(-table.filled[rows, column], kind="stable")][:MOST_IMAGES]
        findings.append(
            Finding(
                "background_evidence",
                float(max(0.0, 2 * survival - 1) * (1 + (share or 0.0)) / 2),
                bool(survival >= bound),
                f"Add images of {name} in other places, and images of these places without it.",
                label=name,
                evidence={
                    "survival": survival,
                    **({} if share is None else {"outside": share}),
                    "probability": float(np.mean(table.probabilities[rows, column])),
                    "filled_probability": float(np.mean(table.filled[rows, column])),
                },
                images=tuple(table.ids[row] for row in worst),
            )
        )
    return CheckResult(len(columns), RULE, ranked(findings, most))


def auc(higher: Float[np.ndarray, " n"], lower: Float[np.ndarray, " m"]) -> float:
    """Probability that one of the first is above one of the second, ties as half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([higher, lower]).astype(np.float64))
    n, m = len(higher), len(lower)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def _bound(survivals: Float[np.ndarray, " k"]) -> float:
    """From where on a class is flagged: median and deviation are those of all classes.

    One or two classes have no median to be above: half of the distance between them is the
    deviation.
    """
    if len(survivals) < LEAST_CLASSES:
        return SURVIVAL
    median = float(np.median(survivals))
    deviation = 1.4826 * float(np.median(np.abs(survivals - median)))
    return max(SURVIVAL, median + ABOVE_OTHERS * max(deviation, 0.01))
