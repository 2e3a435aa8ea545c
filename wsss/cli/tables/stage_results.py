"""The closing table of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from wsss.artifacts import Manifest, read_json
from wsss.cli.tables.whole_words import WholeWords
from wsss.pipeline.execution import Outcome
from wsss.report.bound import BOUNDS, WEAK, WeakOverBound, weak_over_bound
from wsss.report.formatting import percent


def show(outcomes: Sequence[Outcome], console: Console | None = None) -> None:
    """Print the tables of stages and results, and the path of the report."""
    console = console or Console()
    console.print(WholeWords(stage_table(outcomes)))
    by_stage = {outcome.stage: outcome for outcome in outcomes}
    scoring = [by_stage[stage].folder for stage in (WEAK, *BOUNDS) if stage in by_stage]
    found = [read_json(folder / "metrics.json")["subjects"] for folder in scoring]
    if any(found):
        subjects = {name: one for some in found for name, one in some.items()}
        console.print(WholeWords(result_table(subjects)))
        numbers = {stage: outcome.manifest.numbers for stage, outcome in by_stage.items()}
        if compared := weak_over_bound(numbers):
            console.print(WholeWords(bound_table(compared, subjects)))
    elif found:
        console.print("No ground truth in this data set: predictions were made, none scored.")
    for outcome in outcomes:
        if outcome.manifest.failures:
            console.print(
                f"[yellow]{outcome.stage}: {len(outcome.manifest.failures)} images were left out; "
                f"reasons in {outcome.folder / 'manifest.json'}[/]"
            )
    if "report" in by_stage:
        console.print(f"Report: {by_stage['report'].folder / 'report.html'}", soft_wrap=True)


def stage_table(outcomes: Sequence[Outcome]) -> Table:
    """One row a stage: cached or run, on which device, time, memory, key number."""
    table = Table(title="Stages")
    for heading in ("stage", "", "on"):
        table.add_column(heading)
    has_gpu = any(outcome.manifest.peak_gpu_memory_mb for outcome in outcomes)
    gpu_headings = ("GPU memory", "GPU busy") if has_gpu else ()
    for heading in ("wall time", "peak memory", *gpu_headings, "key number"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        manifest = outcome.manifest
        key = outcome.key_number
        table.add_row(
            outcome.stage,
            ("[dim]cached[/]" if outcome.cached else "ran")
            + ", given" * manifest.is_given
            + manifest.mark.replace(" (", ", ").rstrip(")"),
            ", ".join(manifest.devices),
            f"{manifest.wall_time_s:.1f} s",
            f"{manifest.peak_memory_mb / 1024:.2f} GiB",
            *(_gpu_use(manifest) if has_gpu else ()),
            f"{key[0]} {key[1]:.3g}" if key else "–",
        )
    return table


def _gpu_use(manifest: Manifest) -> tuple[str, str]:
    """Peak memory and share of time of the GPU; dashes where a stage used none."""
    used, busy = manifest.peak_gpu_memory_mb, manifest.gpu_utilisation
    return (
        f"{used / 1024:.2f} GiB" if used else "–",
        "–" if busy is None else f"{busy:.0%}",
    )


def result_table(subjects: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row a subject: mean IoU, pixel accuracy, coverage; oracle figures are marked."""
    table = Table(title="Results")
    table.add_column("")
    table.add_column("images")
    for heading in ("mIoU", "pixel accuracy", "coverage"):
        table.add_column(heading, justify="right")
    for scores in subjects.values():
        mark = " [yellow](oracle)[/]" if scores["oracle"] else ""
        table.add_row(
            f"{scores['label']}{mark}",
            f"{scores['num_images']} {scores['split']}",
            f"{scores['miou']:.3f}",
            f"{scores['pixel_accuracy']:.3f}",
            f"{scores['coverage']:.3f}",
        )
    return table


def bound_table(
    compared: Sequence[WeakOverBound], subjects: Mapping[str, Mapping[str, Any]]
) -> Table:
    """One row a score of a bound: the segmenter's own, the bound's, the first in percent of it.

    Args:
        compared: the pairs.
        subjects: by their names, with their labels.
    """
    weak = subjects[compared[0].subject]
    title = f"Weak/bound: the {weak['label']} beside itself trained on true masks (oracle)"
    table = Table(title=title)
    table.add_column("against")
    for heading in ("weak mIoU", "bound mIoU (oracle)", "weak/bound, % (oracle)"):
        table.add_column(heading, justify="right")
    for one in compared:
        scores = (f"{one.weak_miou:.3f}", f"{one.bound_miou:.3f}", percent(one.ratio))
        table.add_row(str(subjects[one.bound]["label"]), *scores)
    return table
