"""Objects without a tag."""

import numpy as np

from wsss.auditing.checks.tag_table import TagTable, suspicion
from wsss.auditing.finding import CheckResult, Finding, ranked

RULE = (
    "Classes without a tag are ranked by the logit out of fold where the image speaks for them "
    "most, between a median image without the tag (0) and one with it (1); flagged is a class that "
    "is as probable as in a mean image with the tag, stays half as probable when tagged objects "
    "are filled in, and has a map as compact as a quarter of those."
)


def missing_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `missing_tag`.

    The score is `1 / (1 + exp(-4 (x - 1/2)))` of the evidence x: the logit in the cells that speak
    for the class most, normalised by class.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    own, evidence = table.self_confidence, table.evidence
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
        x = evidence[rows, column]
        score = suspicion(x)
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
                        "best_cells": float(x[place]),
                        "erased_probability": float(e[place]),
                        "compactness": float(k[place]),
                    },
                )
            )
    examined = int((~table.tags)[:, table.tags.any(axis=0)].sum())
    return CheckResult(examined, RULE, ranked(findings, most))
