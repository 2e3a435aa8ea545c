"""The results as tables in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any


def stage_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a stage and number of images: cost an image, memory, and the start alone."""
    heads = ("stage", "images", "CPU ms an image", "peak memory", "start: CPU", "start: memory")
    cells = [
        (
            row["stage"],
            f"{row['images']:,}",
            f"{row['cpu_ms_an_image']:.2f}",
            f"{row['first']['peak_mb']:,.0f} MB",
            f"{row['again']['cpu_s']:.1f} s",
            f"{row['again']['peak_mb']:,.0f} MB",
        )
        for row in sorted(rows, key=lambda row: (row["stage"], row["images"]))
    ]
    return _table(heads, cells)


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
