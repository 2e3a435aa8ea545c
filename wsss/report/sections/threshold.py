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
    summary = f"best {number(best_threshold)}: {percent(best_miou)}"
    markers = [Marker(best_threshold, 100 * best_miou, "best", "best")]
    seeds = results.scores.get(SEEDS)
    if seeds is not None and seeds.threshold is not None and seeds.miou is not None:
        markers.append(Marker(seeds.threshold, 100 * seeds.miou, "default", "default"))
        summary += f" · default {number(seeds.threshold)}: {percent(seeds.miou)}"
    chart = line_chart(
        [(x, 100 * y) for x, y in curve],
        title="mIoU of the seeds, %",
        summary=summary,
        x_label="background threshold",
        kind="seeds",
        markers=markers,
    )
    return Section(
        name="threshold",
        title="Background threshold of the seeds",
        lead="How much a threshold chosen by ground truth would gain over the default, which was "
        "fixed beforehand. No stage takes the best one from here.",
        data={"chart": chart},
        oracle=True,
    )
