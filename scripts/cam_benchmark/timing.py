"""Time of methods as multiples of one forward pass, in interleaved rounds."""

import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import quantiles
from typing import Any

import torch
from torch import Tensor

from cam_benchmark.references import RECTIFIED, REFERENCES, own_maps
from wsss.cams.core.method import CamMethod
from wsss.models import SplitClassifier

FORWARD = "forward pass"
Call = Callable[[], Any]


def measure(
    calls: Mapping[str, Call],
    rounds: int,
    warm_up: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every call in every round.

    Each round runs all calls once, in an order of its own, so that a busy machine slows all alike.
    The device is synchronised inside the timed region, which `clock` measures in seconds.
    """
    rng = random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warm_up + rounds):
        for name in rng.sample(sorted(calls), len(calls)):
            synchronise(device)
            start = clock()
            calls[name]()
            synchronise(device)
            if number >= warm_up:
                seconds[name].append(clock() - start)
    return seconds


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = quantiles(values, n=4, method="inclusive") if values[1:] else values * 3
    return {"median": median, "q1": low, "q3": high}


def time_methods(
    model: SplitClassifier,
    methods: Mapping[str, CamMethod],
    images: Tensor,
    classes: Tensor,
    rounds: int,
    warm_up: int,
) -> dict[str, dict[str, Any]]:
    """Cost of every method, and of the same maps from other libraries.

    A multiple is taken within each round, of the forward pass of that round.

    Returns:
        by method: `seconds` and `times_forward` (median, quartiles); where others have the method
        also `references`: by library `max_difference` from our maps, `seconds` to the same maps and
        `times_ours`; and `speed_up`, the fastest library's time over ours.
    """

    def forward() -> Tensor:
        with torch.no_grad():
            return model(images)  # type: ignore[no-any-return]

    def explain(method: CamMethod) -> Tensor:
        with torch.no_grad():
            return method(model, images, classes)

    calls: dict[str, Call] = {FORWARD: forward}
    differences: dict[tuple[str, str], float] = {}
    for name, method in methods.items():
        calls[name] = partial(explain, method)
        kind = type(method).__name__
        if not (known := REFERENCES.get(kind)):
            continue
        own = own_maps(method, RECTIFIED[kind])
        calls[f"{name}: maps"] = partial(own, model, images, classes)
        expected = own(model, images, classes)
        for reference in known:
            calls[f"{name}: {reference.library}"] = partial(
                _forgetting, model, partial(reference.maps, model, images, classes)
            )
            found = reference.maps(model, images, classes).to(expected)
            differences[name, reference.library] = float((found - expected).abs().max())
    seconds = measure(calls, rounds, warm_up, images.device)
    bare = seconds[FORWARD]
    rows: dict[str, dict[str, Any]] = {FORWARD: {"seconds": spread(bare)}}
    for name in methods:
        rows[name] = {
            "seconds": spread(seconds[name]),
            "times_forward": spread(_ratios(seconds[name], bare)),
        }
        own_seconds = seconds.get(f"{name}: maps", [])
        references = {
            library: {
                "max_difference": difference,
                "seconds": spread(seconds[f"{name}: {library}"]),
                "times_ours": spread(_ratios(seconds[f"{name}: {library}"], own_seconds)),
            }
            for (of, library), difference in differences.items()
            if of == name
        }
        if references:
            rows[name]["references"] = references
            rows[name]["speed_up"] = min(r["times_ours"]["median"] for r in references.values())
    return rows


def _forgetting(model: SplitClassifier, call: Call) -> None:
    """Call another library, and drop the gradients that some leave in the weights."""
    call()
    model.zero_grad(set_to_none=True)


def _ratios(values: list[float], others: list[float]) -> list[float]:
    return [value / other for value, other in zip(values, others, strict=True)]
