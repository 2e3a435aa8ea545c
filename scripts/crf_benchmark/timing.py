"""Interleaved timing of the engines, alone and over a batch on all cores."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from crf_benchmark.in_float64 import posteriors_in_float64
from wsss.machine.memory import keep_freed_memory
from wsss.refine import DenseCrfEngine, NumbaEngine, PydensecrfEngine

Job = tuple[np.ndarray, list[np.ndarray]]
"""An image and its unaries."""

Engines = dict[str, Callable[..., DenseCrfEngine]]
"""What makes an engine of kernels, by name."""

BATCH_SIZE = 16
"""Images that the torch engine solves together, as the pipeline does."""


def interleaved(
    contestants: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, dict[str, float]]:
    """Median and quartiles of seconds of each contestant, which take turns; one round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for round_number in range(rounds + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if round_number > 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: summary(values) for name, values in seconds.items()}


def summary(values: Sequence[float]) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(median), "low": float(low), "high": float(high)}


def time_one_image(
    engines: Engines,
    kernels: dict[str, float],
    jobs: Sequence[Job],
    iterations: Sequence[int],
    rounds: int,
) -> dict[str, Any]:
    """Seconds an image on one thread, and how long of it is spent without any iteration."""
    contestants = {
        f"{name}, t = {count}": _solver(engine(num_iterations=count, **kernels), jobs)
        for name, engine in engines.items()
        for count in (0, *iterations)
    }
    times = interleaved(contestants, rounds)
    return {
        name: {
            str(count): {
                key: value / len(jobs) for key, value in times[f"{name}, t = {count}"].items()
            }
            for count in (0, *iterations)
        }
        for name in engines
    }


def _solver(engine: DenseCrfEngine, jobs: Sequence[Job]) -> Callable[[], Any]:
    return lambda: [engine.solve(image, unaries) for image, unaries in jobs]


def agreement(
    engine: DenseCrfEngine, reference: DenseCrfEngine, jobs: Sequence[Job]
) -> dict[str, float]:
    """How many pixels' labels differ, and the largest difference of a probability.

    Of pixels that differ, also in how many float64 has the engine's label, and the largest lead
    that their best label has in float64.
    """
    differ = pixels = right = 0
    largest = lead = 0.0
    for image, unaries in jobs:
        for energies, found, expected in zip(
            unaries, engine.solve(image, unaries), reference.solve(image, unaries), strict=True
        ):
            pixels += expected[0].size
            largest = max(largest, float(np.abs(found - expected).max()))
            where = found.argmax(axis=0) != expected.argmax(axis=0)
            if where.any():
                exact = posteriors_in_float64(reference, image, energies)[:, where]
                second, first = np.sort(exact, axis=0)[-2:]
                differ += int(where.sum())
                right += int((exact.argmax(axis=0) == found[:, where].argmax(axis=0)).sum())
                lead = max(lead, float((first - second).max()))
    return {
        "labels_differ": differ,
        "of_them_as_float64": right,
        "largest_lead": lead,
        "pixels": pixels,
        "max_delta": largest,
    }


_jobs: Sequence[Job] = ()
_engine: DenseCrfEngine


def _install(jobs: Sequence[Job], engine: DenseCrfEngine) -> None:
    global _jobs, _engine
    keep_freed_memory()
    _jobs, _engine = jobs, engine


def _labels_of(number: int) -> list[np.ndarray]:
    image, unaries = _jobs[number]
    return [
        posterior.argmax(axis=0).astype(np.uint8) for posterior in _engine.solve(image, unaries)
    ]


def time_batch(
    engines: Engines, jobs: Sequence[Job], kernels: dict[str, float], rounds: int
) -> dict[str, Any]:
    """Seconds of a batch: threads of this process against as many processes of pydensecrf.

    If the torch engine is among the engines it takes part, a few images at a time.

    Each returns the labels. The processes hold the images beforehand and are warm, which flatters
    them: a pipeline would have to send or read those.
    """
    cores = os.cpu_count() or 1
    _install(jobs, NumbaEngine(**kernels))
    pool_settings = (jobs, PydensecrfEngine(**kernels))
    with (
        ThreadPoolExecutor(cores) as threads,
        get_context("spawn").Pool(cores, _install, pool_settings) as pool,
    ):
        contestants: dict[str, Callable[[], Any]] = {
            "numba": lambda: list(threads.map(_labels_of, range(len(jobs)))),
            "pydensecrf": lambda: pool.map(_labels_of, range(len(jobs)), chunksize=1),
        }
        if "torch" in engines:
            contestants["torch"] = partial(_batched_labels, engines["torch"](**kernels), jobs)
        times = interleaved(contestants, rounds)
        labels = {name: run() for name, run in contestants.items()}
    expected = labels.pop("pydensecrf")
    theirs = times["pydensecrf"]["median"]
    return {
        "cores": cores,
        "images": len(jobs),
        "seconds": times,
        "ratio": {name: theirs / times[name]["median"] for name in labels},
        "labels_differ": {name: _differ(found, expected) for name, found in labels.items()},
    }


def _batched_labels(engine: DenseCrfEngine, jobs: Sequence[Job]) -> list[list[np.ndarray]]:
    found = []
    for start in range(0, len(jobs), BATCH_SIZE):
        images, unaries = zip(*jobs[start : start + BATCH_SIZE], strict=True)
        found += engine.solve_batch(images, unaries)
    return [[one.argmax(axis=0).astype(np.uint8) for one in several] for several in found]


def _differ(found: Sequence[Sequence[np.ndarray]], expected: Sequence[Sequence[np.ndarray]]) -> int:
    """Pixels whose labels differ."""
    return sum(
        int((one != other).sum())
        for mine, theirs in zip(found, expected, strict=True)
        for one, other in zip(mine, theirs, strict=True)
    )
