"""How much of the images each class covers, and objects by their size."""

from dataclasses import dataclass

from wsss.report.results import (
    PREDICTED_SHARE,
    PSEUDO_SHARE,
    TRUE_TRAIN_SHARE,
    TRUE_VAL_SHARE,
    Results,
)
from wsss.report.section import WHERE_IT_FAILS, Section

MUCH, LITTLE = 1.5, 1 / 1.5
"""Ratios of shares from which on a class is marked as covered too much, or too little."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One label with its shares of the pixels, in [0, 1]."""

    label: int
    name: str
    tagged: int | None
    """Training images of the class; None of background."""
    shares: dict[str, float | None]

    def ratio(self, of: str, to: str) -> float | None:
        """One share divided by another; None where one of them is missing or 0."""
        first, second = self.shares.get(of), self.shares.get(to)
        return first / second if first is not None and second else None

    @property
    def against_truth(self) -> dict[str, float | None]:
        """Shares of masks divided by the true ones (oracle)."""
        return {
            PSEUDO_SHARE: self.ratio(PSEUDO_SHARE, TRUE_TRAIN_SHARE),
            PREDICTED_SHARE: self.ratio(PREDICTED_SHARE, TRUE_VAL_SHARE),
        }


def coverage(results: Results) -> Section | None:
    """Each class's share of pixels in pseudo masks, predictions and, stamped, in the truth."""
    columns = [
        one
        for one in (PSEUDO_SHARE, TRUE_TRAIN_SHARE, PREDICTED_SHARE, TRUE_VAL_SHARE)
        if results.shares.get(one)
    ]
    if not columns:
        return None
    rows = [
        CoverageRow(
            label,
            results.class_name(label),
            results.tagged[label - 1] if label and results.tagged else None,
            {one: _at(results.shares[one], label) for one in columns},
        )
        for label in range(len(results.class_names) + 1)
    ]
    return Section(
        name="coverage",
        title="Too much, too little",
        lead="Share of the labelled pixels that each class gets: of the training images by pseudo "
        "masks, of the validation images by the segmenter. A class that gets much less by the "
        "second than by the first is being forgotten, if both splits show it alike. “×” is the "
        f"share divided by the true one; below {LITTLE:.2f} and above {MUCH:.1f} it is marked.",
        data={
            "columns": columns,
            "titles": TITLES,
            "truths": {PSEUDO_SHARE: TRUE_TRAIN_SHARE, PREDICTED_SHARE: TRUE_VAL_SHARE},
            "rows": rows,
            "much": MUCH,
            "little": LITTLE,
        },
        part=WHERE_IT_FAILS,
    )


TITLES = {
    PSEUDO_SHARE: "pseudo masks, train",
    TRUE_TRAIN_SHARE: "true, train",
    PREDICTED_SHARE: "segmenter, val",
    TRUE_VAL_SHARE: "true, val",
}
"""Headings of the shares' columns."""


def sizes(results: Results) -> Section | None:
    """Objects by size: their IoU where there is ground truth, else how many masks show."""
    found = {name: bins for name, bins in results.sizes.items() if any(b.count for b in bins)}
    if not found:
        return None
    scored = any(one.iou is not None for bins in found.values() for one in bins)
    return Section(
        name="sizes",
        title="Objects by size",
        lead="An object is all pixels of one class in one image; its size is their share of the "
        "image. "
        + (
            "The bar is the mean IoU of the objects of this true size."
            if scored
            else "Without ground truth, what is counted are the objects that masks show."
        ),
        data={
            "columns": [
                {"name": name, "label": _label(results, name), "bins": bins}
                for name, bins in found.items()
            ],
            "scored": scored,
        },
        oracle=scored,
        part=WHERE_IT_FAILS,
    )


def _label(results: Results, name: str) -> str:
    return TITLES.get(name) or f"{results.label(name)}, val"


def _at(shares: object, label: int) -> float | None:
    return shares[label] if isinstance(shares, list | tuple) and label < len(shares) else None
