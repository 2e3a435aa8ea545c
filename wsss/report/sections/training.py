"""Training curves."""

from wsss.report.bound import BOUNDS
from wsss.report.charts import Chart, line_chart
from wsss.report.formatting import number
from wsss.report.results import Results
from wsss.report.section import WHAT_RAN, Section
from wsss.report.training_curves import Curve
from wsss.wording import plural

TITLES = {
    "train_loss": "training loss",
    "val_loss": "validation loss",
    "reactivation_loss": "loss of the second classifier",
    "affinity_loss": "loss of affinities",
    "displacement_loss": "loss of displacements",
    "val_map": "mAP on validation tags",
    "val_accuracy": "accuracy of the pairs on validation tags",
    "pseudo_miou": "mIoU with the pseudo masks",
    "mask_miou": "mIoU with the true masks",
}
"""Titles of logged quantities; others follow under the names of their columns."""

LABELS = {
    "classify": "Classifier",
    "reactivate": "Second classifier",
    "oppose": "Pairs of classes",
    "affinity": "Affinity of pixels",
    "probe": "Linear probe",
    "segment": "Segmenter",
    "oracle_bound": "Bound: segmenter on true masks",
    "oracle_bound_same_schedule": "Bound with the run's schedule",
}

ENTERS = ", but for the bound, which learns from it"
_LEFT_OUT = ("lr", "lr-")
"""Prefixes of columns that are not shown."""


def training(results: Results) -> Section | None:
    """The training curves of classifiers, segmenter and bound."""
    trainings = [
        {
            "stage": stage,
            "label": LABELS.get(stage, stage),
            "charts": _charts(stage, curves),
            "oracle": stage in BOUNDS,
        }
        for stage, curves in results.curves.items()
    ]
    trainings = [one for one in trainings if one["charts"]]
    if not trainings:
        return None
    return Section(
        name="training",
        title="Training",
        lead="The classifier is judged by tags, the segmenter by its agreement with the pseudo "
        f"masks it learns from: no ground truth enters here{ENTERS * results.has_bound}.",
        data={"trainings": trainings},
        part=WHAT_RAN,
    )


def _charts(stage: str, curves: tuple[Curve, ...]) -> list[Chart]:
    order = [*TITLES]
    ranked = sorted(curves, key=lambda c: order.index(c.name) if c.name in TITLES else len(order))
    return [
        line_chart(
            curve.points,
            title=TITLES.get(curve.name, curve.name.replace("_", " ")),
            summary=_summary(curve),
            x_label=curve.axis,
            kind=stage,
        )
        for curve in ranked
        if not curve.name.startswith(_LEFT_OUT)
    ]


def _summary(curve: Curve) -> str:
    first, last = curve.points[0][1], curve.points[-1][1]
    if len(curve.points) == 1:
        return number(last)
    length = plural(int(curve.points[-1][0]), curve.axis)
    return f"{number(first)} → {number(last)} in {length}"
