"""Mean IoU of the seeds over background thresholds."""

from wsss.report.charts import Marker, line_chart
from wsss.report.formatting import number, percent
from wsss.report.results import Results
from wsss.report.section import DID_IT_WORK, Section


def threshold(results: Results) -> Section | None:
    """The mean IoU over thresholds of the seeds that were refined, with the default one marked."""
    curves = results.scores.oracle_curves
    if not curves:
        return None
    kind, curve = list(curves.items())[-1]
    name = kind.replace("_", " ")
    best_threshold, best_miou = max(curve, key=lambda point: point[1])
    summary = f"best {number(best_threshold)}: {percent(best_miou)}"
    markers = [Marker(best_threshold, 100 * best_miou, "best", "best")]
    seeds = results.scores.get(kind)
    if seeds is not None and seeds.threshold is not None and seeds.miou is not None:
        markers.append(Marker(seeds.threshold, 100 * seeds.miou, "default", "default"))
        summary += f" · default {number(seeds.threshold)}: {percent(seeds.miou)}"
    chart = line_chart(
        [(x, 100 * y) for x, y in curve],
        title=f"mIoU of the {name}, %",
        summary=summary,
        x_label="background threshold",
        kind="seeds",
        markers=markers,
    )
    return Section(
        name="threshold",
        title=f"Background threshold of the {name}",
        lead="How much a threshold chosen by ground truth would gain over the default, which was "
        "fixed beforehand. No stage takes the best one from here.",
        data={"chart": chart},
        oracle=True,
        part=DID_IT_WORK,
    )
