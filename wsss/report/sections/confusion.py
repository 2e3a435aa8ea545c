"""What is taken for what, and what comes together."""

from wsss.report.frequent_confusions import frequent_confusions
from wsss.report.read_scores import PSEUDO_MASKS, SEGMENTER
from wsss.report.results import Results
from wsss.report.section import WHERE_IT_FAILS, Section

SUBJECTS = (SEGMENTER, PSEUDO_MASKS)
MOST = 10
"""Confusions and pairs that are listed."""


def confusion(results: Results) -> Section | None:
    """The most frequent confusions of segmenter and pseudo masks."""
    found = {
        subject: frequent_confusions(results.confusions[subject], MOST)
        for subject in SUBJECTS
        if subject in results.confusions
    }
    if not any(found.values()):
        return None
    names = [results.class_name(label) for label in range(len(results.class_names) + 1)]
    return Section(
        name="confusion",
        title="What is taken for what",
        lead="The pairs of labels with the most wrong pixels. The bar is the share of the pixels "
        "of the true label.",
        data={
            "subjects": [
                {
                    "label": results.label(subject),
                    "split": "val" if subject == SEGMENTER else "train",
                    "kind": subject,
                    "confusions": confusions,
                }
                for subject, confusions in found.items()
            ],
            "names": [*names, "no label"],
        },
        oracle=True,
        part=WHERE_IT_FAILS,
    )


def together(results: Results) -> Section | None:
    """Classes whose tags come together."""
    if not results.pairs:
        return None
    counts = results.confusions.get(PSEUDO_MASKS)
    rows = []
    for pair in results.pairs[:MOST]:
        mixed = None
        if counts is not None and (total := int(counts[pair.first].sum())):
            mixed = int(counts[pair.first, pair.second]) / total
        rows.append({
            "first": results.class_name(pair.first),
            "second": results.class_name(pair.second),
            "pair": pair,
            "mixed": mixed,
        })  # fmt: skip
    return Section(
        name="together",
        title="What comes together",
        lead="Classes whose tags come together more often than by chance, in training images. "
        "Where one is hardly ever without the other, no tag tells which pixels are whose.",
        data={"rows": rows, "has_masks": any(row["mixed"] is not None for row in rows)},
        part=WHERE_IT_FAILS,
    )
