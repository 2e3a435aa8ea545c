"""Tags without visual evidence, the more so where another class is seen in their stead."""

import numpy as np
from jaxtyping import Bool, Float

from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.finding import CheckResult, Finding, ranked

MISTAKES = 0.033
"""How probable a mistake is before the image is looked at: the mean share of wrong labels in ten
well-known test sets (Northcutt, Athalye and Mueller, NeurIPS Datasets and Benchmarks 2021)."""
SEEN = 0.5
"""Probability from which on a class without a tag is named in the advice."""
RULE = (
    "Tags are ranked by the probability that they are wrong: by how probable, out of fold, the "
    "class is, given the part of the image that speaks for it most, and by how rare mistakes are "
    f"({MISTAKES:.1%}). A class seen without a tag makes the tag more suspect: one class taken for "
    "another is one mistake, a wrong and a missing tag are two. Flagged is a tag that is more "
    "probably wrong than right by this model."
)


def wrong_tags(table: TagTable, most: int) -> CheckResult:
    """Findings of the kind `wrong_tag`.

    The score is the probability that the tag is wrong (`wrong_probability`); flagged is what is
    above 1/2.

    Args:
        table: of all images.
        most: how many findings to keep at least.
    """
    with_tag, without_tag = table.with_tag, table.without_tag
    untagged = np.where(table.tags, 0, table.best_cells)
    scores = wrong_probability(table.best_cells, table.tags)
    findings = []
    for column, name in enumerate(table.class_names):
        rows = np.flatnonzero(table.tags[:, column])
        if len(rows) == len(table.ids):  # A class of all images cannot be told apart.
            continue
        for row in rows:
            other = int(untagged[row].argmax())
            findings.append(
                Finding(
                    "wrong_tag",
                    float(scores[row, column]),
                    bool(scores[row, column] > 0.5),
                    _advice(name, table.class_names[other], untagged[row, other] >= SEEN),
                    table.ids[row],
                    table.splits[row],
                    name,
                    evidence={
                        "best_cells": float(table.best_cells[row, column]),
                        "untagged": float(untagged[row, other]),
                        "with_tag": float(with_tag[column]),
                        "without_tag": float(without_tag[column]),
                        "probability": float(table.probabilities[row, column]),
                        "compactness": float(table.compactness[row, column]),
                    },
                )
            )
    return CheckResult(len(findings), RULE, ranked(findings, most))


def wrong_probability(
    best_cells: Float[np.ndarray, "n c"], tags: Bool[np.ndarray, "n c"]
) -> Float[np.ndarray, "n c"]:
    """The probability that each tag is wrong, by Bayes' rule over four explanations.

    `a` is how probable the class is, `u` how probable the most probable class without a tag, and
    ε = `MISTAKES`:

    * both tags are right, the class is there and the other is not: a (1 - u);
    * the tag is right, and that of the other class is missing: ε a u;
    * the tag is wrong, and there is no other class: ε (1 - a) (1 - u);
    * the tag is wrong, the other class was taken for it: ε (1 - a) u.

    A class that is surely there and has no tag leaves the second and the last, one mistake each, so
    that the tag's own class decides: the probability is 1 - a.

    Args:
        best_cells: probability of every class, in [0, 1], by heads that have not seen the image.
        tags: the tags of each image.

    Returns:
        In [0, 1]; 0 where there is no tag.
    """
    untagged = np.where(tags, 0, best_cells).max(axis=1, keepdims=True)
    wrong = MISTAKES * (1 - best_cells)
    right = best_cells * (1 - untagged + MISTAKES * untagged)
    found: Float[np.ndarray, "n c"] = np.where(tags, wrong / (wrong + right), 0)
    return found


def _advice(name: str, other: str, is_seen: bool) -> str:
    seen = f" It seems to show “{other}”, which has no tag." if is_seen else ""
    return f"Look for “{name}”: if the image does not show it, remove the tag.{seen}"
