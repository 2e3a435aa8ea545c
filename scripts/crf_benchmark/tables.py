"""The results as Markdown."""

from collections.abc import Sequence
from typing import Any


def markdown(result: dict[str, Any]) -> str:
    """All tables of a benchmark."""
    environment = result["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    heading = (
        f"{environment['cores']} cores, commit {environment['commit'] or 'unknown'}, "
        f"{environment['date']}; {versions}. Medians (quartiles) of {environment['rounds']} "
        f"interleaved rounds, {environment['size'][1]} × {environment['size'][0]} px."
    )
    parts = [heading]
    for name, table in (("one", _one_image), ("batches", _batches), ("agreement", _agreement)):
        if name in result:
            parts.append(table(result[name]))
    if "start" in result:
        parts.append(_processes(result["start"], result["memory"]))
    return "\n\n".join(parts) + "\n"


def _milliseconds(one: dict[str, float]) -> str:
    return f"{1e3 * one['median']:.0f} ({1e3 * one['low']:.0f}–{1e3 * one['high']:.0f})"


def _one_image(rows: Sequence[dict[str, Any]]) -> str:
    counts = [count for count in rows[0]["times"]["numba"] if count != "0"]
    own = [name for name in rows[0]["times"] if name != "pydensecrf"]
    last = counts[-1]
    head = ["one image, one thread: ms", "labels", f"pydensecrf, t = {last}"]
    for name in own:
        head += [f"{name}, t = {last}", "of it build", *(f"×, t = {count}" for count in counts)]
    body = []
    for row in rows:
        theirs = row["times"]["pydensecrf"]
        cells = [f"{row['kernels']}, {row['unary']}", str(row["labels"])]
        cells.append(_milliseconds(theirs[last]))
        for name in own:
            ours = row["times"][name]
            cells += [_milliseconds(ours[last]), f"{1e3 * ours['0']['median']:.0f}"]
            cells += [f"{theirs[c]['median'] / ours[c]['median']:.2f}" for c in counts]
        body.append(cells)
    return _table(head, body)


def _batches(rows: Sequence[dict[str, Any]]) -> str:
    own = list(rows[0]["ratio"])
    head = ["batch on all cores: ms an image", "pydensecrf, processes"]
    for name in own:
        head += [name, "×", "pixels that differ"]
    body = []
    for row in rows:
        scaled = {
            name: {key: value / row["images"] for key, value in times.items()}
            for name, times in row["seconds"].items()
        }
        cells = [row["name"], _milliseconds(scaled["pydensecrf"])]
        for name in own:
            cells += [_milliseconds(scaled[name]), f"{row['ratio'][name]:.2f}"]
            cells.append(str(row["labels_differ"][name]))
        body.append(cells)
    return _table(head, body)


def _agreement(rows: Sequence[dict[str, Any]]) -> str:
    head = [
        "against pydensecrf",
        "labels",
        "iterations",
        "pixels that differ",
        "as in float64",
        "max ΔQ",
    ]
    body = [
        [
            f"{row['engine']}, {row['kernels']}", str(row["labels"]), str(row["iterations"]),
            f"{row['labels_differ']} of {row['pixels']:,}", str(row["of_them_as_float64"]),
            f"{row['max_delta']:.1e}",
        ]
        for row in rows
    ]  # fmt: skip
    return _table(head, body)


def _processes(start: dict[str, Any], memory: Sequence[dict[str, Any]]) -> str:
    first, later = start["first"], start["later"]
    text = (
        f"First call after installation: {first['call_s']:.1f} s (two labels; it compiles); of a "
        f"later process: {later['call_s']:.1f} s, its imports {later['import_s']:.1f} s."
    )
    head = ["peak of a process, MB (noise)", "size", "labels", "peak"]
    body = [
        [row["engine"], "×".join(map(str, row["size"][::-1])), str(row["labels"]),
         f"{row['peak_mb']:.0f}"]
        for row in memory
    ]  # fmt: skip
    return f"{text}\n\n{_table(head, body)}"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
