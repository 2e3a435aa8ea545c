"""How fast the dense CRF's engines are, whether their labels are pydensecrf's, and what they need.

Usage:
    python scripts/benchmark_crf.py --images my_images/images --output runs/benchmark_crf
    python scripts/benchmark_crf.py --images my_images/images --rounds 3 --labels 2 --skip-batch
    python scripts/benchmark_crf.py --images my_images/images --torch cuda

Needs `pydensecrf2` (pip install wsss[pydensecrf]), the reference. One image on one thread, then
batches: as many threads against as many processes of pydensecrf. Unaries are drawn at random; no
mask is read. Writes benchmark_crf.json and benchmark_crf.md into the output folder.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # "one thread" is meant of every library

import argparse
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from crf_benchmark.cases import (
    KERNELS,
    VOC_LABELS,
    label_unary,
    photographs,
    segmenter_unary,
    soft_unary,
)
from crf_benchmark.processes import first_and_later_calls, memory
from crf_benchmark.tables import markdown
from crf_benchmark.timing import Engines, Job, agreement, time_batch, time_one_image
from rich.progress import track

from wsss.artifacts import write_json
from wsss.machine.memory import keep_freed_memory
from wsss.pipeline.versions import commit
from wsss.refine import NumbaEngine, PydensecrfEngine
from wsss.refine.dense_crf.torch_engine import TorchEngine

PRESENT = 3
"""Labels that occur, where there are many."""


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="a folder of photographs")
    add("--output", type=Path, default=Path("runs/benchmark_crf"))
    add("--count", type=int, default=6, help="photographs")
    add("--size", type=int, nargs=2, default=(375, 500), metavar=("HEIGHT", "WIDTH"))
    add("--labels", type=int, nargs="+", default=[2, 3, 4, 21])
    add("--iterations", type=int, nargs="+", default=[1, 5, 10])
    add("--rounds", type=int, default=5)
    add("--torch", metavar="DEVICE", help="the torch engine on this device, too: cpu, cuda")
    add("--batch-images", type=int, default=24)
    add("--skip-one", action="store_true", help="no times of single images")
    add("--skip-batch", action="store_true", help="no times of batches")
    add("--skip-agreement", action="store_true")
    add("--skip-processes", action="store_true", help="neither first calls nor memory")
    return parser.parse_args()


def unary(kind: str, seed: int, num_labels: int, size: tuple[int, int]) -> np.ndarray:
    if kind == "labels":
        return label_unary(seed, num_labels, size, PRESENT)
    if kind == "segmenter":
        return segmenter_unary(seed, num_labels, size, PRESENT)
    return soft_unary(seed, num_labels, size)


def cases(labels: Sequence[int]) -> list[tuple[str, str, int]]:
    """Kernels, kind of unary and number of labels: all soft-max, hard labels for IRN's kernels."""
    found = [(kernels, "soft-max", count) for kernels in KERNELS for count in labels]
    found += [("irn", "labels", count) for count in labels]
    return found + [("deeplab", "segmenter", count) for count in labels if count > PRESENT + 1]


def main() -> None:
    keep_freed_memory()
    options = parsed()
    size = tuple(options.size)
    engines: Engines = {"pydensecrf": PydensecrfEngine, "numba": NumbaEngine}
    if options.torch:
        engines["torch"] = partial(TorchEngine, device=options.torch)
    images = photographs(options.images, options.count, size)
    result: dict[str, Any] = {
        "environment": {
            "cores": os.cpu_count(),
            "commit": commit(),
            "date": datetime.now().astimezone().date().isoformat(),
            "versions": {name: version(name) for name in ("numba", "numpy", "pydensecrf2")},
            "rounds": options.rounds,
            "size": size,
        }
    }
    if not options.skip_one:
        result["one"] = []
        for kernels, kind, count in track(cases(options.labels), "one image"):
            jobs = jobs_of(images, kind, [count], size)
            times = time_one_image(
                engines, KERNELS[kernels], jobs, options.iterations, options.rounds
            )
            row = {"kernels": kernels, "unary": kind, "labels": count, "times": times}
            result["one"].append(row)
    if not options.skip_batch:
        result["batches"] = batches(engines, images, options, size)
    if not options.skip_agreement:
        result["agreement"] = [
            {"engine": name, "kernels": kernels, "labels": count, "iterations": iterations}
            | agreement(
                engines[name](num_iterations=iterations, **KERNELS[kernels]),
                PydensecrfEngine(num_iterations=iterations, **KERNELS[kernels]),
                jobs_of(images, "soft-max", [count], size),
            )
            for name in list(engines)[1:]
            for kernels in KERNELS
            for count in options.labels
            for iterations in (1, 10, 30)
        ]
    if not options.skip_processes:
        result["start"] = first_and_later_calls()
        result["memory"] = memory((size, (1024, 1024)))
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "benchmark_crf.json", result)
    table = markdown(result)
    (options.output / "benchmark_crf.md").write_text(table, encoding="utf-8")
    print(table)


def jobs_of(
    images: Sequence[np.ndarray], kind: str, labels: Sequence[int], size: tuple[int, int]
) -> list[Job]:
    """Images with a unary each, whose numbers of labels take turns."""
    return [
        (image, [unary(kind, number, labels[number % len(labels)], size)])
        for number, image in enumerate(images)
    ]


def batches(
    engines: Engines,
    images: Sequence[np.ndarray],
    options: argparse.Namespace,
    size: tuple[int, int],
) -> list[dict[str, Any]]:
    """Batches as the pipeline meets them: seeds, IRN's pairs, a segmenter's soft-max."""
    many = [images[number % len(images)] for number in range(options.batch_images)]
    seeds = jobs_of(many, "soft-max", VOC_LABELS, size)
    pairs = [
        (image, [label_unary(2 * number + side, count, size, count) for side in range(2)])
        for number, image in enumerate(many)
        for count in [VOC_LABELS[number % len(VOC_LABELS)]]
    ]
    wanted = [
        ("VOC-like images, 2–4 labels, IRN's kernels", "irn", seeds),
        ("the same, DeepLab's kernels", "deeplab", seeds),
        ("two solves an image from labels (IRN)", "irn", pairs),
        ("21 labels, segmenter, DeepLab's", "deeplab", jobs_of(many[:8], "segmenter", [21], size)),
        ("21 labels, all compete, DeepLab's", "deeplab", jobs_of(many[:8], "soft-max", [21], size)),
        ("21 labels, 3 of them present (merged)", "irn", jobs_of(many[:8], "labels", [21], size)),
    ]
    return [
        {"name": name} | time_batch(engines, jobs, KERNELS[kernels], options.rounds)
        for name, kernels, jobs in track(wanted, "batches")
    ]


if __name__ == "__main__":
    main()
