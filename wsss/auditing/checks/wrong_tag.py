"""Tags without visual evidence."""

import numpy as np

from wsss.auditing.checks.tag_table import TagTable, suspicion
from wsss.auditing.finding import CheckResult, Finding, ranked

FLAG_BELOW = 0.25
"""Evidence at most, of that of a median image with the tag."""
RULE = (
    "Tags are ranked by the logit out of fold where the image speaks for the class most, between a "
    "median image without the tag (0) and one with it (1); flagged is a tag that nothing in the "
    f"image speaks for more than {FLAG_BELOW:g}, and whose class is less probable than in a mean "
    "image without the tag."
)


def wrong_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `wrong_tag`.

    The score is `1 / (1 + exp(4 (x - 1/2)))` of the evidence x: the logit in the cells that speak
    for the class most, normalised by class. A tag of which the best cells say as little as those of
    a median image without it is wrong, or its object hardly visible. Flagged are those of them that
    confident learning would call so as well (Northcutt et al., JAIR 2021): the probability is below
    the mean over the images without the tag.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    own, others, evidence = table.self_confidence, table.other_confidence, table.evidence
    findings = []
    for column, name in enumerate(table.class_names):
        rows = np.flatnonzero(table.tags[:, column])
        if not len(rows) or len(rows) == len(table.ids):  # A class of all cannot be told apart.
            continue
        found = evidence[rows, column]
        for row, x, score in zip(rows, found, suspicion(1 - found), strict=True):
            probability = float(table.probabilities[row, column])
            findings.append(
                Finding(
                    "wrong_tag",
                    float(score),
                    bool(x < FLAG_BELOW and probability < others[column]),
                    f"Look whether there is a {name}; if not, remove the tag.",
                    table.ids[row],
                    table.splits[row],
                    name,
                    evidence={
                        "probability": probability,
                        "class_probability": float(own[column]),
                        "best_cells": float(x),
                        "compactness": float(table.compactness[row, column]),
                    },
                )
            )
    return CheckResult(len(findings), RULE, ranked(findings, most))
