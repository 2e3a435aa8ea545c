"""The sections of a comparison, from runs to what templates draw."""

from collections.abc import Mapping, Sequence

from wsss.comparing.compared_run import FINISHED, ComparedRun
from wsss.comparing.differences import compared_numbers, differing_settings
from wsss.comparing.same_images import SameImage
from wsss.report.bound import BOUNDS
from wsss.report.charts import Chart, lines_chart
from wsss.report.section import Section
from wsss.report.sections.training import ENTERS, LABELS, TITLES
from wsss.report.training_curves import Curve, read_curves
from wsss.wording import plural

LEFT_OUT = ("lr", "lr-")
"""Prefixes of curves that are not shown."""


def runs_section(runs: Sequence[ComparedRun]) -> Section:
    """The settings that differ, and the numbers of every run."""
    return Section(
        name="compared_runs",
        title="Runs",
        lead="Numbers that differ between the runs, computed without ground truth. Those that all "
        "runs share are in their own reports.",
        data={
            "runs": runs,
            "settings": differing_settings(runs),
            "numbers": compared_numbers(runs, with_masks=False),
            "scores": compared_numbers(runs, with_masks=True),
            "problems": [run for run in runs if run.status != FINISHED],
        },
    )


def curves_section(runs: Sequence[ComparedRun]) -> Section | None:
    """The training curves of all runs, those of one quantity in one chart."""
    trainings = [
        {"label": label, "charts": charts, "oracle": stage in BOUNDS}
        for stage, label in LABELS.items()
        if (charts := _charts(runs, stage))
    ]
    if not trainings:
        return None
    has_bound = any(stage in BOUNDS for run in runs for stage in run.folders)
    return Section(
        name="compared_curves",
        title="Training",
        lead="Runs that share a training are one line. No ground truth enters here"
        f"{ENTERS * has_bound}.",
        data={"trainings": trainings},
    )


def images_section(shown: Mapping[str, Sequence[SameImage]], height_px: int) -> Section | None:
    """The same images in all runs."""
    if not shown:
        return None
    return Section(
        name="compared_images",
        title="The same images",
        lead="First those in which the runs differ most, then some at even distances: no ground "
        "truth chose them. Runs that share a result share a picture.",
        data={"shown": shown, "height_px": height_px},
    )


def _charts(runs: Sequence[ComparedRun], stage: str) -> list[Chart]:
    """One chart for each quantity that a stage has logged."""
    sharing: dict[str, list[str]] = {}
    curves: dict[str, tuple[Curve, ...]] = {}
    for run in runs:
        if stage in run.folders:
            key = str(run.folders[stage])
            sharing.setdefault(key, []).append(run.label)
            curves.setdefault(key, read_curves(run.folders[stage]))
    names = dict.fromkeys(one.name for found in curves.values() for one in found)
    return [
        _chart(name, {", ".join(sharing[key]): found for key, found in curves.items()})
        for name in sorted(names, key=lambda one: ([*TITLES, one].index(one), one))
        if not name.startswith(LEFT_OUT)
    ]


def _chart(name: str, curves: Mapping[str, Sequence[Curve]]) -> Chart:
    """One quantity of several trainings."""
    lines = [
        (of, color(position), curve.points)
        for position, (of, found) in enumerate(curves.items())
        for curve in found
        if curve.name == name
    ]
    axis = next(one.axis for found in curves.values() for one in found if one.name == name)
    return lines_chart(
        lines,
        title=TITLES.get(name, name.replace("_", " ")),
        summary=plural(len(lines), "training"),
        x_label=axis,
    )


def color(position: int) -> str:
    """A colour of CSS for a line: hues a golden angle apart, that neighbours are far apart."""
    return f"hsl({round(137.508 * position + 210) % 360} 62% 48%)"
