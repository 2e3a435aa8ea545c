"""Images a second of the dense CRF on a GPU, beside the numba engine on all cores.

Usage:
    python scripts/benchmark_crf_gpu.py --output runs/benchmark_crf_gpu
    python scripts/benchmark_crf_gpu.py --images my_images/images --labels 2 3 21 --rounds 5

Photographs at 375 × 500 pixels with IRN's kernels; scikit-learn's two sample photographs, cropped,
where no folder is given. Unaries are drawn at random; no mask is read. Each part's result is
written to benchmark_crf_gpu.json in the output folder as it ends: labels from uint8 images and
energies in the host's memory to labels in the host's memory, whether they are the numba engine's,
the time without iterations, memory, kernels of plain torch, and groups of other sizes. Aims: 500
images a second with 2 and 3 labels, 150 with 21.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from crf_benchmark.cases import KERNELS, label_unary, photographs, soft_unary
from crf_benchmark.timing import Job, interleaved
from rich.console import Console
from sklearn.datasets import load_sample_image

from wsss.artifacts import write_json
from wsss.machine.devices import usable_device
from wsss.machine.memory import keep_freed_memory
from wsss.pipeline.versions import commit
from wsss.refine import NumbaEngine
from wsss.refine.dense_crf.torch_engine import TorchEngine

NEAR_TIES = 1e-4
"""The share of pixels whose labels may differ: rounding decides where two are equally likely."""


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--images", type=Path, help="a folder of photographs")
    add("--output", type=Path, default=Path("runs/benchmark_crf_gpu"))
    add("--device", help="cuda, cpu, …; a GPU if there is one")
    add("--count", type=int, default=64, help="images")
    add("--batch", type=int, default=16, help="images a call, as in the stages")
    add("--size", type=int, nargs=2, default=(375, 500), metavar=("HEIGHT", "WIDTH"))
    add("--labels", type=int, nargs="+", default=[2, 3, 21])
    add("--groups", type=int, nargs="+", default=[1, 4, 16, 64], help="images solved together")
    add("--rounds", type=int, default=3)
    add("--iterations", type=int, default=10)
    return parser.parse_args()


def main() -> None:
    keep_freed_memory()
    options = parsed()
    device = usable_device(options.device)
    size = (options.size[0], options.size[1])
    images = photographs(options.images, options.count, size) if options.images else samples(
        options.count, size
    )  # fmt: skip
    result: dict[str, Any] = {
        "environment": {
            "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
            "cores": os.cpu_count(),
            "commit": commit(),
            "versions": {name: version(name) for name in ("torch", "numba")},
            "size": size,
            "images": len(images),
            "batch": options.batch,
            "iterations": options.iterations,
        },
        "parts": [],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    for measure in parts(options, images, size, device):
        result["parts"].append(measure())
        write_json(options.output / "benchmark_crf_gpu.json", result)
        Console(soft_wrap=True).print(result["parts"][-1])


def parts(
    options: argparse.Namespace, images: Sequence[np.ndarray], size: tuple[int, int], device: str
) -> list[Callable[[], dict[str, Any]]]:
    """What is measured, the most important first."""
    kernels = {**KERNELS["irn"], "num_iterations": options.iterations}

    def engine(**more: Any) -> TorchEngine:
        return TorchEngine(**{**kernels, **more}, device=device)

    def soft(labels: int) -> list[Job]:
        return [(image, [soft_unary(n, labels, size)]) for n, image in enumerate(images)]

    def pairs() -> list[Job]:
        return [
            (image, [label_unary(2 * n + side, 3, size, 3) for side in range(2)])
            for n, image in enumerate(images)
        ]

    def beside_numba(name: str, jobs: list[Job]) -> dict[str, Any]:
        return {"name": name} | compared(
            engine(), NumbaEngine(**kernels), jobs, options.batch, options.rounds
        )

    def split(labels: int) -> dict[str, Any]:
        jobs = soft(labels)
        calls = {
            "all": runner(engine(), jobs, options.batch),
            "without iterations": runner(engine(num_iterations=0), jobs, options.batch),
            "posteriors": lambda: batched(engine().solve_batch, jobs, options.batch),
            "kernels of plain torch": runner(engine(kernels="torch"), jobs, options.batch),
        }
        return {"name": f"{labels} labels, ms an image"} | milliseconds(calls, jobs, options.rounds)

    def groups(labels: int) -> dict[str, Any]:
        jobs, pixels = soft(labels), size[0] * size[1]
        calls = {
            str(count): runner(engine(group_px=count * pixels), jobs, max(count, options.batch))
            for count in options.groups
        }
        name = f"{labels} labels, ms an image by images solved together"
        return {"name": name} | milliseconds(calls, jobs, options.rounds)

    found: list[Callable[[], dict[str, Any]]] = []
    for labels in options.labels:
        found.append(lambda n=labels: beside_numba(f"{n} labels", soft(n)))
    found.append(lambda: beside_numba("two solves an image from labels (IRN)", pairs()))
    for labels in options.labels:
        found += [lambda n=labels: split(n), lambda n=labels: groups(n)]
    return found


def compared(
    gpu: TorchEngine, cpu: NumbaEngine, jobs: Sequence[Job], batch: int, rounds: int
) -> dict[str, Any]:
    """Images a second of both engines, and the share of pixels whose labels differ."""
    start = time.perf_counter()
    found = batched(gpu.label_batch, jobs, batch)
    first_s = time.perf_counter() - start
    with ThreadPoolExecutor(os.cpu_count()) as threads:

        def on_all_cores() -> list[Any]:
            return list(threads.map(lambda job: cpu.label(*job), jobs))

        expected = on_all_cores()
        times = interleaved({"gpu": runner(gpu, jobs, batch), "cpu": on_all_cores}, rounds)
    differ = np.mean(
        [
            (one.labels != other.labels).mean()
            for mine, theirs in zip(found, expected, strict=True)
            for one, other in zip(mine, theirs, strict=True)
        ]
    )
    rates = {name: len(jobs) / one["median"] for name, one in times.items()}
    memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
    return {
        "images_per_s": rates,
        "seconds": times,
        "first_call_s": first_s,
        "labels_differ": float(differ),
        "labels_agree": bool(differ <= NEAR_TIES),
        "peak_mb": memory,
        "halvings": gpu.halvings,
    }


def runner(engine: TorchEngine, jobs: Sequence[Job], batch: int) -> Callable[[], Any]:
    return lambda: batched(engine.label_batch, jobs, batch)


def batched(solve: Callable[..., list[Any]], jobs: Sequence[Job], batch: int) -> list[Any]:
    found = []
    for start in range(0, len(jobs), batch):
        images, unaries = zip(*jobs[start : start + batch], strict=True)
        found += solve(images, unaries)
    return found


def milliseconds(
    calls: dict[str, Callable[[], Any]], jobs: Sequence[Job], rounds: int
) -> dict[str, Any]:
    times = interleaved(calls, rounds)
    return {name: 1000 * one["median"] / len(jobs) for name, one in times.items()}


def samples(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Different crops of two photographs, mirrored in turn, resized."""
    rng = np.random.default_rng(0)
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    images = []
    for number in range(count):
        photo = photos[number % 2]
        top, left = (int(rng.integers(0, side // 5)) for side in photo.shape[:2])
        crop = photo[top : top + 4 * photo.shape[0] // 5, left : left + 4 * photo.shape[1] // 5]
        crop = crop[:, :: 1 if number % 4 < 2 else -1]
        resized = cv2.resize(
            np.ascontiguousarray(crop), (size[1], size[0]), interpolation=cv2.INTER_AREA
        )
        images.append(resized)
    return images


if __name__ == "__main__":
    main()
