"""The one source of a training run's randomness: seed, epoch, index."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset, DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """Shuffles the indices and yields them with the epoch they are drawn in.

    The epoch travels with the index, because workers that outlive an epoch hold a copy of the
    data set that is never told. Lightning calls `set_epoch`. Every rank gets its own share; the
    last incomplete round over the ranks is dropped, not repeated.
    """

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        """Pairs of epoch and index."""
        for index in super().__iter__():
            yield self.epoch, index


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """A 32-bit seed for one sample in one epoch, decorrelated from its neighbours'."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])


def epoch_sampler(dataset: Dataset[Any], rank: int, world_size: int, seed: int) -> EpochSampler:
    """The sampler of one rank; a world of one sees every sample in every epoch."""
    return EpochSampler(
        dataset, num_replicas=world_size, rank=rank, shuffle=True, seed=seed, drop_last=True
    )
