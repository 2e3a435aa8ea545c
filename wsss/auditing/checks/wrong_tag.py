"""Tags without visual evidence."""

import numpy as np

from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.finding import CheckResult, Finding, ranked

FLAG_BELOW = 0.25
"""Of the class's mean probability over its tagged images."""
SCATTER_WEIGHT = 0.1
"""Of the map against the probability."""
RULE = (
    "Tags are ranked by the probability of the class out of fold, relative to the mean over the "
    "images with the tag, and a little by the scatter of the map; flagged is a tag whose class is "
    f"less probable than in a mean image without the tag, and than {FLAG_BELOW:.0%} of the mean "
    "with it."
)


def wrong_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `wrong_tag`.

    The score is `(1 - s) · t / (p + t) + s · (1 - k)`: the probability p relative to the class's
    mean t over its tagged images (self-confidence normalised by class, as in confident learning),
    the compactness k of the map relative to the class's median, at most 1, and a small weight s.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    own, others = table.self_confidence, table.other_confidence
    findings = []
    for column, name in enumerate(table.class_names):
        rows = np.flatnonzero(table.tags[:, column])
        if not len(rows):
            continue
        t = max(float(own[column]), 1e-6)
        p = table.probabilities[rows, column].astype(np.float64)
        compact = table.compactness[rows, column].astype(np.float64)
        k = np.minimum(1, compact / max(float(np.median(compact)), 1e-6))
        score = (1 - SCATTER_WEIGHT) * t / (p + t) + SCATTER_WEIGHT * (1 - k)
        # A class that every image has cannot be told from others.
        bound = min(others[column], FLAG_BELOW * t) if np.isfinite(others[column]) else 0.0
        for row, one, probability, own_k in zip(rows, score, p, compact, strict=True):
            findings.append(
                Finding(
                    "wrong_tag",
                    float(one),
                    bool(probability < bound),
                    f"Look whether there is a {name}; if not, remove the tag.",
                    table.ids[row],
                    table.splits[row],
                    name,
                    evidence={
                        "probability": float(probability),
                        "class_probability": t,
                        "compactness": float(own_k),
                    },
                )
            )
    return CheckResult(len(findings), RULE, ranked(findings, most))
