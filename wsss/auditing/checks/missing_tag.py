"""Objects without a tag."""

import numpy as np

from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.finding import CheckResult, Finding, ranked

COMPACTNESS_WEIGHT, ERASED_WEIGHT = 0.1, 0.2
"""Of the map and of what is left when the tagged objects are filled in, against the probability."""
RULE = (
    "Classes without a tag are ranked by their probability out of fold, relative to the mean over "
    "the images with the tag, by what is left of it when the tagged objects are filled in, and a "
    "little by the compactness of the map; flagged is a class that is as probable as in a mean "
    "image with the tag, stays half as probable without the tagged objects, and has a map as "
    "compact as a quarter of those."
)


def missing_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `missing_tag`.

    The score is the weighted mean of `p / (p + t)`, `e / (e + t)` and `min(1, k / m)`: with the
    probability p, that without the tagged objects e, the class's mean probability t over its tagged
    images, the compactness k of the map, and the median m of those of tagged images.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    own = table.self_confidence
    findings = []
    for column, name in enumerate(table.class_names):
        tagged = table.tags[:, column]
        rows = np.flatnonzero(~tagged)
        if not tagged.any() or not len(rows):
            continue
        t = max(float(own[column]), 1e-6)
        of_tagged = table.compactness[tagged, column].astype(np.float64)
        p, e, k = (
            part[rows, column].astype(np.float64)
            for part in (table.probabilities, table.erased, table.compactness)
        )
        score = (
            (1 - COMPACTNESS_WEIGHT - ERASED_WEIGHT) * p / (p + t)
            + ERASED_WEIGHT * e / (e + t)
            + COMPACTNESS_WEIGHT * np.minimum(1, k / max(float(np.median(of_tagged)), 1e-6))
        )
        flagged = (p >= t) & (e >= 0.5 * t) & (k >= np.quantile(of_tagged, 0.25))
        kept = np.argsort(-score, kind="stable")[: most + int(flagged.sum())]
        kept = np.union1d(kept, np.flatnonzero(flagged))
        for place in kept:
            row = rows[place]
            findings.append(
                Finding(
                    "missing_tag",
                    float(score[place]),
                    bool(flagged[place]),
                    f"Look whether there is a {name}; if so, add the tag.",
                    table.ids[row],
                    table.splits[row],
                    name,
                    evidence={
                        "probability": float(p[place]),
                        "class_probability": t,
                        "erased_probability": float(e[place]),
                        "compactness": float(k[place]),
                    },
                )
            )
    examined = int((~table.tags)[:, table.tags.any(axis=0)].sum())
    return CheckResult(examined, RULE, ranked(findings, most))
