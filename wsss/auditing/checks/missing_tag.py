"""Objects without a tag."""

import numpy as np

from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.finding import CheckResult, Finding, ranked

SURVIVES = 0.5
"""Of its probability that a class keeps at least when the tagged objects are filled in."""
COMPACT = 0.1
"""Quantile of the compactness of maps of tagged images that a map must reach."""
RULE = (
    "Classes without a tag are ranked by how probable each is, out of fold, given the part of the "
    "image that speaks for it most; flagged is a class that is as probable as in a mean image with "
    f"the tag, keeps {SURVIVES:.0%} of its probability when tagged objects are filled in, and has "
    f"a map more compact than the {COMPACT:.0%} least compact ones of images with the tag."
)


def missing_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `missing_tag`.

    The score is the probability of the class given the image's best cells. From its mean over the
    images with the tag on, confident learning counts the class as shown (Northcutt et al., JAIR
    2021).

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    with_tag = table.with_tag
    findings = []
    for column, name in enumerate(table.class_names):
        tagged = table.tags[:, column]
        rows = np.flatnonzero(~tagged)
        if not tagged.any() or not len(rows):
            continue
        compact = np.quantile(table.compactness[tagged, column], COMPACT)
        best, probability, erased, compactness = (
            part[rows, column]
            for part in (table.best_cells, table.probabilities, table.erased, table.compactness)
        )
        flagged = (
            (best >= with_tag[column])
            & (erased >= SURVIVES * probability)
            & (compactness >= compact)
        )
        kept = np.argsort(-best, kind="stable")[: most + int(flagged.sum())]
        for place in np.union1d(kept, np.flatnonzero(flagged)):
            row = rows[place]
            findings.append(
                Finding(
                    "missing_tag",
                    float(best[place]),
                    bool(flagged[place]),
                    f"Look for “{name}”: if the image shows it, add the tag.",
                    table.ids[row],
                    table.splits[row],
                    name,
                    evidence={
                        "best_cells": float(best[place]),
                        "with_tag": float(with_tag[column]),
                        "probability": float(probability[place]),
                        "erased_probability": float(erased[place]),
                        "compactness": float(compactness[place]),
                    },
                )
            )
    examined = int((~table.tags)[:, table.tags.any(axis=0)].sum())
    return CheckResult(examined, RULE, ranked(findings, most))
