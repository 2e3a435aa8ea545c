"""Randomness of a training run: the order of samples, and a seed for each."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset, DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """Shuffled pairs of epoch and index; Lightning calls `set_epoch`.

    The epoch is part of the key, as persistent workers hold a copy of the data set that is not
    updated. Ranks get disjoint shares; the last incomplete round over the ranks is dropped.
    """

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        """Pairs of epoch and index."""
        for index in super().__iter__():
            yield self.epoch, index


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """A 32-bit seed for one sample in one epoch, independent of all others."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])


def epoch_sampler(dataset: Dataset[Any], rank: int, world_size: int, seed: int) -> EpochSampler:
    """The sampler of one rank; a single rank gets every sample in every epoch."""
    return EpochSampler(
        dataset, num_replicas=world_size, rank=rank, shuffle=True, seed=seed, drop_last=True
    )
