"""A loader for a network that computes on the cores on which images would be prepared."""

import time
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from wsss.data.datasets import AugmentedImages

WORTH_PROCESSES = 0.25
"""From which share of the time of a step on it pays to prepare images beside it.

Processes of a loader take cores from the network, all of whose threads wait for the slowest.
"""


class MeasuringLoader(DataLoader[Any]):
    """Prepares images in this process, and in others once it has found that this takes too long.

    What counts is an epoch in which no image was kept for the first time: until then images are
    decoded, which is done once, as far as memory is left for them. Samples, their order and their
    bytes do not depend on where they are prepared.
    """

    def __init__(self, dataset: AugmentedImages, num_workers: int, **options: Any) -> None:
        """A loader that may start processes.

        Args:
            dataset: the images; those that it keeps are kept by processes that start, too.
            num_workers: how many there may be.
            options: torch's.
        """
        super().__init__(
            dataset,  # type: ignore[arg-type]
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            **options,
        )
        self._images = dataset
        self._most_workers = num_workers
        self.num_workers = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The batches of an epoch."""
        if self.num_workers:
            yield from super().__iter__()
            return
        kept = len(self._images.kept)
        preparing_s = using_s = 0.0
        batches = super().__iter__()
        asked = time.perf_counter()
        for batch in batches:
            came = time.perf_counter()
            yield batch
            preparing_s += came - asked
            asked = time.perf_counter()
            using_s += asked - came
        if len(self._images.kept) == kept and preparing_s > WORTH_PROCESSES * using_s:
            self.num_workers = self._most_workers
