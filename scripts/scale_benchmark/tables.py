"""The results as tables in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any


def stage_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a stage and number of images: cost an image, memory, and the start alone.

    Beside the cost an image, what a stage does once is part of which, stands that of each further
    image: the difference to the next smaller number of images.
    """
    heads = (
        "stage", "images", "CPU ms an image", "each further", "peak memory",
        "start: CPU", "start: memory",
    )  # fmt: skip
    smaller: dict[str, Mapping[str, Any]] = {}
    cells = []
    for row in sorted(rows, key=lambda row: (row["stage"], row["images"])):
        before = smaller.get(row["stage"])
        cells.append(
            (
                row["stage"],
                f"{row['images']:,}",
                f"{row['cpu_ms_an_image']:.2f}",
                "" if before is None or "computed" in row else f"{further_ms(before, row):.2f}",
                f"{row['first']['peak_mb']:,.0f} MB",
                f"{row['again']['cpu_s']:.1f} s",
                f"{row['again']['peak_mb']:,.0f} MB",
            )
        )
        smaller[row["stage"]] = row
    return _table(heads, cells)


def further_ms(before: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    """Milliseconds of CPU of each image that one run of a stage has and a smaller one has not."""
    total, less = (one["cpu_ms_an_image"] * one["images"] for one in (row, before))
    return float((total - less) / (row["images"] - before["images"]))


def folder_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a number of files and layout: microseconds a file."""
    operations = ("write", "is it there", "read", "list")
    cells = [
        (
            row["layout"],
            f"{row['files']:,}",
            *(f"{row[one]['cpu_us']:.1f} ({row[one]['wall_us']:.1f})" for one in operations),
        )
        for row in rows
    ]
    return _table(("layout", "files", *(f"{one}, µs" for one in operations)), cells)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
