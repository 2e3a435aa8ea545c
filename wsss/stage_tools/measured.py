"""What a stage waits for, how often memory did not suffice, and what a step of training is."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

IMAGES = "images"
"""Reading, decoding, rescaling, augmentation."""
NETWORK = "network"
CRF = "dense CRF"
PROCESSES = "CPU processes"
"""The CPU's dense CRF, masks, scores."""


@dataclass(slots=True)
class Measured:
    """How the main thread of a stage's process spends its time, most of which is waiting.

    Images are read ahead by other processes, so that the wait for them is the time by which they
    take longer than what is done with them.
    """

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By what was waited for."""
    halvings: int = 0
    """How often a batch was split since the device's memory did not suffice."""
    schedule: dict[str, Any] = field(default_factory=dict)
    """What a step of a training is; empty where nothing is trained."""

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Add the time of the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] += time.perf_counter() - start

    def timed(self, what: str, results: Iterable[T]) -> Iterator[T]:
        """Yield `results` unchanged, adding the time that each takes to come."""
        source = iter(results)
        while True:
            with self.waiting_for(what):
                try:
                    result = next(source)
                except StopIteration:
                    return
            yield result

    @property
    def slowest(self) -> str:
        """What was waited for longest; empty where nothing was measured."""
        return max(self.seconds, key=self.seconds.__getitem__, default="")
