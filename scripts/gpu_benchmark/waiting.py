"""Seconds of calls on a device, which is waited for."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(call: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one call, the device idle before and after it."""
    synchronise(device)
    start = time.perf_counter()
    call()
    synchronise(device)
    return time.perf_counter() - start


def middle(values: list[float]) -> float | None:
    """The median; None where nothing was measured."""
    return median(values) if values else None


def interleaved(calls: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each call gives in every round; they take turns, and one round warms up."""
    values: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            value = call()
            if number:
                values[name].append(value)
    return values
