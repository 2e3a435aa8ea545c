"""Images a second of the walk by learned boundaries: its labels, its training, the walk."""

from collections.abc import Sequence
from pathlib import Path

from gpu_benchmark.commands import finished, manifests, run_wsss
from gpu_benchmark.parts import Found, table
from gpu_benchmark.recipe import seconds_between, stage_table
from gpu_benchmark.small_runs import chosen_stages

SHORT = ("refine=affinity_crf", "affinity.max_epochs=1")
"""With a CRF in the end, as settings of the recipe's may name it; that stage is not run."""


def affinity_part(
    found: Found, words: Sequence[str], work_dir: Path, log: Path, limit_s: float
) -> None:
    """Run `affinity`, for one epoch, and `propagate` on the recipe's classifier and seeds.

    Args:
        found: takes images a second. Reading is part of them, and of labels the start of processes.
        words: settings of the recipe.
        work_dir: of the finished recipe.
        log: what the command says.
        limit_s: seconds.
    """
    finished(work_dir, "localize")
    stages = chosen_stages("affinity", "propagate")
    run_wsss([*words, *SHORT, stages], work_dir, log, limit_s)
    records = {
        stage: record
        for stage, record in manifests(work_dir).items()
        if stage in ("affinity", "propagate")
    }
    affinity = records["affinity"]
    folder = finished(work_dir, "affinity")
    images = len(list(folder.glob("labels/*.png")))
    training_s = seconds_between(folder, "labels/*.png", "*.safetensors")
    walked = records["propagate"].numbers["images"]
    labels_s = None if training_s is None else affinity.wall_time_s - training_s
    rates = {
        "labels": images / labels_s if labels_s else None,
        "training": images / training_s if training_s else None,
        "walk": walked / max(records["propagate"].wall_time_s, 1e-9),
    }
    found.numbers |= {
        "images": images,
        "images_per_s": rates,
        "affinity_s": affinity.wall_time_s,
        "propagate_s": records["propagate"].wall_time_s,
        "waits_s": {stage: record.waits_s for stage, record in records.items()},
    }
    rows = [[name, "–" if rate is None else f"{rate:.1f}"] for name, rate in rates.items()]
    found.tables += [
        stage_table(records),
        table("Walk by learned boundaries", ["", "images/s"], rows),
    ]
