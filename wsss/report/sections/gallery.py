"""The gallery of images and masks."""

from collections.abc import Mapping
from dataclasses import dataclass

from wsss.data.sample import VOID_LABEL
from wsss.report.gallery_choice import BEST, MEDIAN, SAMPLE, WORST
from wsss.report.panels import GROUND_TRUTH
from wsss.report.results import GalleryGroup, Results
from wsss.report.section import Section

TITLES = {BEST: "Best", MEDIAN: "Median", WORST: "Worst", SAMPLE: "Sample"}
SCORE_OF = {"train": "pseudo mask", "val": "prediction"}
"""The panel of a row that is scored."""


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A class that occurs in the gallery."""

    label: int
    name: str
    is_void: bool


def gallery(results: Results) -> Section | None:
    """Rows of pictures for the best, median and worst images of each split."""
    groups = [group for group in results.gallery if group.rows]
    if not groups:
        return None
    by_split: dict[str, list[GalleryGroup]] = {}
    for group in groups:
        by_split.setdefault(group.split, []).append(group)
    return Section(
        name="gallery",
        title="Gallery",
        lead=_lead(groups, results.without_class, results.has_bound),
        data={
            "splits": by_split,
            "titles": TITLES,
            "score_of": SCORE_OF,
            "ground_truth": GROUND_TRUTH,
            "legend": _legend(results, groups),
            "height_px": results.panel_height_px,
        },
    )


def _lead(groups: list[GalleryGroup], without_class: Mapping[str, int], has_bound: bool) -> str:
    if all(group.name == SAMPLE for group in groups):
        return "Images at even distances, since there is no ground truth to rank them by."
    lead = (
        "Images ranked by the mean IoU over the classes present in them: train by the pseudo mask, "
        "val by the prediction. Ground truth is shown to compare with; no training saw it"
        f"{', but that of the bound' * has_bound}."
    )
    if empty := [f"{count} of {split}" for split, count in without_class.items() if count]:
        lead += f" Images that show no class are left out: {', '.join(empty)}."
    return lead


def _legend(results: Results, groups: list[GalleryGroup]) -> list[LegendEntry]:
    """The labels in the gallery's masks, without background."""
    present = {label for group in groups for row in group.rows for label in row.present} - {0}
    return [
        LegendEntry(
            label,
            "void: no label" if label == VOID_LABEL else results.class_name(label),
            label == VOID_LABEL,
        )
        for label in sorted(present)
    ]
