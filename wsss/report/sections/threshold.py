"""How the seeds depend on their background threshold."""

from wsss.report.charts import Marker, line_chart
from wsss.report.results import Results
from wsss.report.scores import SEEDS
from wsss.report.section import Section
from wsss.report.text import number, percent


def threshold(results: Results) -> Section | None:
    """The seeds' mean IoU over thresholds, with the default one marked."""
    curve = results.scores.oracle_curve
    if not curve:
        return None
    best_threshold, best_miou = max(curve, key=lambda point: point[1])
    best = f"The best threshold is {number(best_threshold)} with {percent(best_miou)} %"
    markers = [Marker(best_threshold, 100 * best_miou, "best", "best")]
    seeds = results.scores.get(SEEDS)
    if seeds is not None and seeds.threshold is not None and seeds.miou is not None:
        markers.append(Marker(seeds.threshold, 100 * seeds.miou, "default", "default"))
        gap = percent(best_miou - seeds.miou)
        default = f"the default {number(seeds.threshold)}, fixed beforehand, has"
        best += f"; {default} {percent(seeds.miou)} %, {gap} points less"
    chart = line_chart(
        [(x, 100 * y) for x, y in curve],
        title="mIoU of the seeds, %",
        summary=f"{best}.",
        x_label="background threshold",
        kind="seeds",
        markers=markers,
    )
    return Section(
        name="threshold",
        title="Background threshold of the seeds",
        lead=f"{best}.",
        data={"chart": chart},
        oracle=True,
    )
