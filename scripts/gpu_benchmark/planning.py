"""Seconds that a run's own networks spend on shapes they see for the first time."""

import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gpu_benchmark.commands import manifests
from gpu_benchmark.parts import Found, at_most, table
from gpu_benchmark.run_settings import Composed
from gpu_benchmark.waiting import seconds_of
from wsss.data.pyramids import plan_batches
from wsss.data.source import TRAIN, VAL
from wsss.machine.devices import memory_format
from wsss.pipeline.device_choice import numerics_of

MOST_S = 5.0
MOST_SHARE = 0.1
SPLITS = {"localize": TRAIN, "evaluate": VAL}

Shape = tuple[int, int, int]
"""Images, height, width."""


def planning_part(
    found: Found, composed: Composed, device: torch.device, work_dir: Path, limit_s: float
) -> None:
    """Pass every shape of a run's batches twice, as `localize` and `evaluate` would.

    Each shape's first pass less its second, summed. Every batch's shape counts once. As in a run,
    `evaluate` comes after `localize` in the same process; `classify`, which in a run has seen most
    shapes of `localize` before it, does not: the sum is an upper bound.

    Args:
        found: takes the seconds, and their share of the stages of a finished run.
        composed: the run's settings.
        device: where it computes.
        work_dir: of the finished run, if there is one.
        limit_s: seconds a stage is measured at most; the sum is then scaled up to all shapes.
    """
    sizes = composed.sizes()
    records = manifests(work_dir)
    rows = []
    with numerics_of(composed.cfg), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for stage, network in networks(composed, device).items():
            spent = planned(network, shapes_of(composed, stage, sizes), device, limit_s)
            found.numbers[stage] = spent
            wall_s = records[stage].wall_time_s if stage in records else None
            share = spent["planning_s"] / wall_s if wall_s else None
            spent |= {"stage_s": wall_s, "share": share}
            found.aims.append(at_most(f"planning of {stage}", spent["planning_s"], MOST_S, " s"))
            found.aims.append(at_most(f"its share of {stage}", share, MOST_SHARE))
            rows.append(
                [stage, f"{spent['measured']} of {spent['shapes']}", f"{spent['planning_s']:.2f}",
                 f"{spent['worst_s']:.3f}", f"{spent['passes_s']:.2f}",
                 "–" if wall_s is None else f"{wall_s:.1f}",
                 "–" if share is None else f"{share:.1%}"]
            )  # fmt: skip
    head = ["stage", "shapes", "planning, s", "worst shape, s", "passes, s", "stage, s", "share"]
    found.tables.append(table("The data set's own shapes", head, rows))


def networks(composed: Composed, device: torch.device) -> dict[str, Callable[[Tensor], Any]]:
    """The network of each stage with the run's settings; what its head learnt takes no time."""
    backbone = composed.stage("classify").keywords["backbone"](freeze="backbone")
    segmenter = composed.stage("segment").keywords["segmenter"](
        num_classes=len(composed.source.class_names)
    )

    def ready(network: nn.Module) -> nn.Module:
        return network.to(device, memory_format=memory_format(device)).eval()

    return {"localize": ready(backbone), "evaluate": ready(segmenter)}


def shapes_of(
    composed: Composed, stage: str, sizes: Mapping[str, tuple[int, int]]
) -> dict[Shape, int]:
    """How often each shape is passed in a stage, mirror images included, largest first."""
    settings = composed.stage(stage).keywords
    items = [item for item in composed.source.items(SPLITS[stage]) if item.id in sizes]
    counts: dict[Shape, int] = {}
    scales = settings["scales"]
    for batch in plan_batches(items, lambda item: sizes[item.id], scales, settings["batch_size"]):
        for height, width in scales.sizes(sizes[batch[0].id]):
            shape = (len(batch), height, width)
            counts[shape] = counts.get(shape, 0) + (2 if settings["flip"] else 1)
    return counts


def planned(
    network: Callable[[Tensor], Any],
    counts: Mapping[Shape, int],
    device: torch.device,
    limit_s: float,
) -> dict[str, Any]:
    """Seconds that first passes take longer than second ones, and of all passes of the stage."""
    network(torch.rand(1, 3, 32, 32, device=device))  # Starts libraries.
    extra, passes = [], 0.0
    end = time.perf_counter() + limit_s
    for (count, height, width), times in counts.items():
        images = torch.rand(count, 3, height, width, device=device)
        first, again = (seconds_of(partial(network, images), device) for _ in range(2))
        extra.append(max(0.0, first - again))
        passes += times * again
        if time.perf_counter() > end:
            break
    scale = len(counts) / max(1, len(extra))
    return {
        "shapes": len(counts),
        "measured": len(extra),
        "planning_s": scale * sum(extra),
        "worst_s": max(extra, default=0.0),
        "passes_s": scale * passes,
    }
