"""What each stage costs at a number of images, beside its start."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scale_benchmark.commands import Spent, measured

CHECK = "check"
STAGES = ("classify", "localize", "refine", "segment", "evaluate", "report")
SMALL = (
    "trainer=cpu",
    "classify.feature_scales.factors=[1.0]",
    "classify.max_epochs=1",
    "localize.scales.factors=[1.0]",
    "localize.flip=false",
    "segment.max_epochs=1",
    "segment.augmentation.crop_px=48",
    "segmenter.trains_from=blocks.6",
    "evaluate.scales.factors=[1.0]",
    "evaluate.flip=false",
)
"""One pass of small networks: what grows with the number of images is what counts."""


def common_words(data: Path, work_dir: Path, workers: int) -> list[str]:
    """The settings of all commands on a data set."""
    return ["data=folder", f"data.root={data}", f"work_dir={work_dir}", f"workers={workers}"]


def costs(
    data: Path, count: int, work_dir: Path, chosen: Sequence[str], workers: int
) -> Iterator[dict[str, Any]]:
    """The cost of the check and of stages, each by a command of its own, in their order.

    A stage's start is what the same command takes when everything is finished: imports, lists,
    fingerprints, the data check's notes. Its cost an image is what it took more, in CPU time.
    """
    common = common_words(data, work_dir, workers)
    if CHECK in chosen:
        yield row(CHECK, count, *(measured(["check", *common]) for _ in range(2)))
    for stage in STAGES:
        if stage in chosen:
            words = ["run", *common, *SMALL, f"stages=[{stage}]"]
            yield row(stage, count, *(measured(words) for _ in range(2)))


def row(stage: str, count: int, first: Spent, again: Spent) -> dict[str, Any]:
    """What is written of a stage: its cost an image is what the first run took more."""
    return {
        "stage": stage,
        "images": count,
        "cpu_ms_an_image": round(1000 * (first.cpu_s - again.cpu_s) / count, 3),
        "first": asdict(first),
        "again": asdict(again),
    }
