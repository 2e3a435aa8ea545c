"""Tables of a run: IoU of classes, stages; and tables as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence

from wsss.artifacts import Manifest
from wsss.pipeline.tracking.records import Table
from wsss.report.read_scores import Scores


def iou_table(scores: Scores, class_names: Sequence[str]) -> Table:
    """The IoU of every class, background first, a column a kind of masks; oracle ones say so.

    Args:
        scores: of an evaluation.
        class_names: of the C classes.
    """
    columns = tuple(one.label + " (oracle)" * one.oracle for one in scores.subjects)
    means = ("mean", *(one.miou for one in scores.subjects))
    rows = (
        (name, *(one.per_class_iou[label] for one in scores.subjects))
        for label, name in enumerate(("background", *class_names))
    )
    return Table(("class", *columns), (means, *rows))


def stage_table(manifests: Mapping[str, Manifest]) -> Table:
    """Time, memory and origin of each stage.

    Args:
        manifests: of the finished stages, in their order.
    """
    columns = (
        "stage", "wall time (s)", "slowest", "peak memory (MB)", "peak GPU memory (MB)",
        "devices", "given", "saw masks", "commit", "fingerprint",
    )  # fmt: skip
    rows = (
        (
            stage, one.wall_time_s, one.slowest, one.peak_memory_mb, one.peak_gpu_memory_mb,
            ", ".join(one.devices), "yes" if one.is_given else "no",
            "yes" if one.saw_masks else "no", one.commit, one.fingerprint,
        )
        for stage, one in manifests.items()
    )  # fmt: skip
    return Table(columns, tuple(rows))


def csv_text(table: Table) -> str:
    """A table as CSV, with empty cells where there is no value."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([table.columns, *table.rows])
    return stream.getvalue()
