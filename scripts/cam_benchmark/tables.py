"""The results as Markdown."""

from collections.abc import Sequence
from typing import Any


def markdown(result: dict[str, Any]) -> str:
    """All tables of a benchmark."""
    parts = [_heading(result)]
    parts += [_speed_table(name, model) for name, model in result["models"].items()]
    if "data" in result:
        parts.append(_quality_table(result["data"]))
    return "\n\n".join(parts) + "\n"


def _heading(result: dict[str, Any]) -> str:
    environment, settings = result["environment"], result["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    text = (
        f"{environment['device']}, {environment['threads']} threads, commit "
        f"{environment['commit'] or 'unknown'}, {environment['date']}; {versions}."
    )
    if not result["models"]:
        return text
    return (
        f"{text} {settings['size_px']} px, batch {settings['batch_size']}, "
        f"{settings['present']} classes an image; medians (quartiles) of "
        f"{settings['rounds']} interleaved rounds. "
        f"Memory at {settings['memory_size_px']} px, batch 1."
    )


def _speed_table(name: str, model: dict[str, Any]) -> str:
    rows = []
    for method, row in model.items():
        if "refused" in row:
            rows.append([method, row["refused"], "", "", "", "", ""])
            continue
        seconds, times = row.get("seconds"), row.get("times_forward")
        references = row.get("references", {})
        rows.append(
            [
                method,
                f"{1000 * seconds['median']:.0f} ms" if seconds else "",
                _with_quartiles(times) if times else "",
                *_memory_cells(row.get("memory_mb")),
                "; ".join(f"{of}: {r['max_difference']:.0e}" for of, r in references.items()),
                "; ".join(
                    f"{of}: {_with_quartiles(r['times_ours'])}" for of, r in references.items()
                ),
            ]
        )
    head = ["method", "time", "× forward", "peak MB", "above model MB", "max |Δ|", "× our time"]
    return f"### {name}\n\n" + _table(head, rows)


def _memory_cells(memory: dict[str, float] | str | None) -> list[str]:
    if isinstance(memory, str):
        return [memory, ""]
    return [f"{memory['peak']:.0f}", f"{memory['above_model']:.0f}"] if memory else ["", ""]


def _quality_table(data: dict[str, Any]) -> str:
    """Faithfulness in percent; what looked at masks is in a column marked oracle."""
    columns = {
        "AD ↓": ("faithfulness", "average_drop"),
        "AI ↑": ("faithfulness", "average_increase"),
        "ADD ↑": ("faithfulness", "average_drop_in_deletion"),
        "Coh ↑": ("faithfulness", "coherency"),
        "Compl ↓": ("faithfulness", "complexity"),
        "ADCC ↑": ("faithfulness", "adcc"),
        "mean ADCC ↑": ("faithfulness", "mean_adcc"),
        "Del ↓": ("faithfulness", "deletion"),
        "Ins ↑": ("faithfulness", "insertion"),
        "pointing ↑ (oracle)": ("localisation", "pointing"),
        "energy ↑ (oracle)": ("localisation", "energy"),
        "PxAP ↑ (oracle)": ("localisation", "px_ap"),
        "MaxBoxAcc ↑ (oracle)": ("localisation", "max_box_acc"),
        "MaxBoxAccV2 ↑ (oracle)": ("localisation", "max_box_acc_v2"),
        "seed mIoU, best τ ↑ (oracle)": ("seeds", "best_miou"),
        "seed mIoU ↑ (oracle)": ("seeds", "miou"),
    }
    rows = []
    for method, row in data["methods"].items():
        if "refused" in row:
            rows.append([method, row["refused"], *[""] * (len(columns) - 1)])
            continue
        cells = [_figure_cell(row.get(group, {}), group, name) for group, name in columns.values()]
        rows.append([method, *cells])
    title = f"### {data['source']}: {data['images']} images of `{data['split']}`"
    note = (
        "In brackets 95 % intervals over the images. `random_map` and `centred_gaussian` see "
        "nothing of the network: a method that does not beat them explains nothing."
    )
    return f"{title}\n\n{note}\n\n" + _table(["method", *columns], rows)


def _figure_cell(figures: dict[str, Any], group: str, name: str) -> str:
    """A figure with its interval, if these were measured."""
    digits = 2 if group == "faithfulness" else 3
    if (value := figures.get(name)) is None:
        return ""
    if (ends := figures.get("intervals", {}).get(name)) is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({ends[0]:.{digits}f}–{ends[1]:.{digits}f})"


def _with_quartiles(values: dict[str, float]) -> str:
    return f"{values['median']:.2f} ({values['q1']:.2f}–{values['q3']:.2f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    # A refusal may hold anything; a bar or a new line would break the table.
    clean = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in clean)
