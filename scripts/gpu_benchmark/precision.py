"""What TF32 and bfloat16 change in the seeds of a finished classifier."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from gpu_benchmark.commands import finished
from gpu_benchmark.differences import mismatches, seed_differences
from gpu_benchmark.parts import Found, table
from gpu_benchmark.run_settings import FLOAT32, PRECISIONS, TF32, Composed
from gpu_benchmark.tf32_on_cpu import RoundingFabric
from gpu_benchmark.training_rates import set_numerics_for
from wsss.artifacts import SeedStore
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.machine.numerics import numerics_kept
from wsss.metrics.confusion import confusion_matrix, mean_iou, void_as_background
from wsss.refine.pseudo_label import threshold_mask, upsample

THRESHOLD = 0.3


def precision_part(
    found: Found, composed: Composed, work_dir: Path, folder: Path, count: int
) -> None:
    """Compute seeds of some images by the stage `localize` in three precisions, and compare.

    Args:
        found: takes differences from float32, and the seeds' mIoU where there are masks.
        composed: the settings of the recipe.
        work_dir: of the finished recipe, for its classifier.
        folder: takes the seeds.
        count: images, spread evenly over the training images.
    """
    inputs = {"classify": finished(work_dir, "classify")}
    everything = composed.source.items(TRAIN)
    count = min(count, len(everything))
    items = [everything[index * len(everything) // count] for index in range(count)]
    left_out = frozenset({item.id for item in everything} - {item.id for item in items})
    stage = composed.stage("localize")
    seconds = {}
    with numerics_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for precision in PRECISIONS:
            own = folder / "localize" / precision
            more = {"inputs": inputs, "unusable": left_out}
            with composed.context(own, precision, **more) as context:
                set_numerics_for(composed, precision)
                if precision == TF32 and context.fabric.device.type == "cpu":
                    context.fabric = cast("Any", RoundingFabric(context.fabric))
                stage(context)
                seconds[precision] = sum(context.measured.seconds.values())
    rows = []
    exact = folder / "localize" / FLOAT32 / "seeds"
    for precision in PRECISIONS:
        seeds = folder / "localize" / precision / "seeds"
        apart = seed_differences(exact, seeds)
        miou = seed_miou(composed, items, SeedStore(seeds))
        found.numbers[precision] = {
            **apart, "seed_miou_at_0.3": miou, "seconds": seconds[precision]
        }  # fmt: skip
        found.failures += mismatches(f"seeds in {precision}", apart)
        score = "no ground truth" if miou is None else f"{miou:.4f}"
        rows.append([precision, f"{apart['largest']:.2e}", f"{apart['mean']:.2e}", score])
    if composed.cfg.trainer.accelerator == "cpu":
        found.notes.append(f"a CPU has no {TF32}: factors of products were rounded as a GPU does")
    head = ["seeds in", "largest difference", "mean", f"mIoU at {THRESHOLD} (reads masks)"]
    title = f"Precision, {count} training images, against {FLOAT32}"
    found.tables.append(table(title, head, rows))


def seed_miou(composed: Composed, items: Sequence[Item], store: SeedStore) -> float | None:
    """Mean IoU of seeds at a fixed threshold over these images; None without ground truth."""
    classes = len(composed.source.class_names)
    total = np.zeros((classes + 1, classes + 2), np.int64)
    for item in items:
        target = composed.source.read_mask(item)
        if target is not None and store.has(item):
            seeds = store.read(item)
            maps = upsample(seeds.maps, (target.shape[0], target.shape[1]))
            total += confusion_matrix(
                threshold_mask(maps, seeds.labels, THRESHOLD), target, classes
            )
    return mean_iou(void_as_background(total)) if total.any() else None
