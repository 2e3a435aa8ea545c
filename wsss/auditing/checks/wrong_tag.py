"""Tags without visual evidence."""

import numpy as np

from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.finding import CheckResult, Finding, ranked

RULE = (
    "Tags are ranked by how improbable the class is, out of fold, given the part of the image that "
    "speaks for it most; flagged is a tag that is less probable than in a mean image without it."
)


def wrong_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `wrong_tag`.

    The score is 1 less the probability of the tag given the image's best cells. Flagged is what
    confident learning calls confidently wrong (Northcutt et al., JAIR 2021): the probability is
    below its mean over the images without the tag.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    with_tag, without_tag = table.with_tag, table.without_tag
    findings = []
    for column, name in enumerate(table.class_names):
        rows = np.flatnonzero(table.tags[:, column])
        if len(rows) == len(table.ids):  # A class of all images cannot be told apart.
            continue
        for row in rows:
            best = float(table.best_cells[row, column])
            findings.append(
                Finding(
                    "wrong_tag",
                    1 - best,
                    bool(best < without_tag[column]),
                    f"Look whether there is a {name}; if not, remove the tag.",
                    table.ids[row],
                    table.splits[row],
                    name,
                    evidence={
                        "best_cells": best,
                        "with_tag": float(with_tag[column]),
                        "without_tag": float(without_tag[column]),
                        "probability": float(table.probabilities[row, column]),
                        "compactness": float(table.compactness[row, column]),
                    },
                )
            )
    return CheckResult(len(findings), RULE, ranked(findings, most))
