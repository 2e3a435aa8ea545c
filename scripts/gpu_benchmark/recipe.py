"""The whole recipe, stage by stage, from the manifests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpu_benchmark.commands import CommandError, manifests, run_wsss, stage_folders
from gpu_benchmark.parts import Found, at_most, table
from wsss.artifacts import Manifest

RECIPE_S = 90.0
HEAD_S = 10.0
FIELDS = (
    "wall_time_s", "waits_s", "slowest", "devices", "peak_memory_mb", "peak_gpu_memory_mb",
    "gpu_utilisation", "halvings", "nondeterministic", "numbers",
)  # fmt: skip
"""What is taken from a manifest."""


def recipe_part(
    found: Found, words: Sequence[str], work_dir: Path, log: Path, limit_s: float
) -> None:
    """Run all stages in a fresh folder.

    Args:
        found: takes every finished stage's record, also where the run was stopped.
        words: settings of `wsss run`.
        work_dir: takes the run.
        log: what the command says.
        limit_s: seconds.
    """
    command_s = None
    try:
        command_s = run_wsss(words, work_dir, log, limit_s)
    except CommandError as error:
        found.failures.append(str(error))
    records = manifests(work_dir)
    total = sum(record.wall_time_s for record in records.values())
    head_s = head_seconds(work_dir)
    rates = images_per_second(work_dir, records)
    found.numbers |= {
        "stages": {
            stage: {field: getattr(record, field) for field in FIELDS}
            for stage, record in records.items()
        },
        "stages_s": total,
        "command_s": command_s,
        "head_training_s": head_s,
        "images_per_s": rates,
    }
    whole = total if command_s is not None else None
    found.aims.append(at_most("all stages", whole, RECIPE_S, " s"))
    found.aims.append(at_most("training of the head", head_s, HEAD_S, " s"))
    if command_s is not None:
        found.notes.append(f"the command took {command_s:.1f} s, its start and checks included")
    found.notes += [f"{stage}: {rate:.1f} images/s" for stage, rate in rates.items()]
    found.tables.append(stage_table(records))


def stage_table(records: Mapping[str, Manifest]) -> Any:
    """One row a stage."""
    rows = [
        [
            stage,
            f"{one.wall_time_s:.1f}",
            ", ".join(f"{what} {seconds:.1f}" for what, seconds in one.waits_s.items()),
            one.slowest,
            f"{one.peak_gpu_memory_mb:.0f}",
            "–" if one.gpu_utilisation is None else f"{one.gpu_utilisation:.0%}",
            str(one.halvings),
            ", ".join(one.nondeterministic) or "none",
        ]
        for stage, one in records.items()
    ]
    head = ["stage", "s", "waits, s", "slowest", "GPU MB", "GPU busy", "halvings", "nondeterm."]
    return table("Stages", head, rows)


def images_per_second(work_dir: Path, records: Mapping[str, Manifest]) -> dict[str, float]:
    """Images a second of stages that go over all images once, by the files they left."""
    folders = stage_folders(work_dir)
    patterns = {"localize": "seeds/*.npz", "refine": "masks/*.png",
                "evaluate": "predictions/val/*.png"}  # fmt: skip
    counts = {
        stage: sum(1 for _ in folders[stage].glob(pattern))
        for stage, pattern in patterns.items()
        if stage in records
    }
    return {
        stage: count / records[stage].wall_time_s
        for stage, count in counts.items()
        if count and records[stage].wall_time_s
    }


def head_seconds(work_dir: Path) -> float | None:
    """Seconds of the head's training: from the last stored feature to the written classifier."""
    folder = stage_folders(work_dir).get("classify")
    return None if folder is None else seconds_between(
        folder, "features/*.npy", "classifier.safetensors"
    )  # fmt: skip


def seconds_between(folder: Path, before: str, after: str) -> float | None:
    """Seconds from the last written file of a pattern to the first of another.

    Pooled features, labels and networks are written when they are done, and never again.
    """
    early = [path.stat().st_mtime for path in folder.glob(before)]
    late = [path.stat().st_mtime for path in folder.glob(after)]
    return min(late) - max(early) if early and late else None
