"""Randomness of a training run: the order of samples, and a seed for each."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from torch.utils.data import Dataset, DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """Shuffled pairs of epoch and index; Lightning calls `set_epoch`.

    The epoch is part of the key, as persistent workers hold a copy of the data set that is not
    updated. Ranks get disjoint shares; the last incomplete round over the ranks is dropped.

    An epoch can be handed out in stretches, each of which is an epoch of Lightning's, which writes
    checkpoints between epochs: `set_epoch` then counts stretches.
    """

    stretches = 1
    """Of an epoch."""
    _samples: int | None = None
    """Of this rank's share, in a stretch; None: all of them."""

    def split(self, stretches: int, samples: int) -> None:
        """Hand out each epoch in so many stretches of so many samples; what is over is left out."""
        self.stretches, self._samples = stretches, samples

    def __len__(self) -> int:
        """Samples of this rank in a stretch."""
        return super().__len__() if self._samples is None else self._samples

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        """Pairs of epoch and index of a stretch."""
        counted = self.epoch
        self.epoch, stretch = divmod(counted, self.stretches)  # The order is that of the epoch.
        epoch, order = self.epoch, super().__iter__()
        self.epoch = counted
        for index in islice(order, stretch * len(self), (stretch + 1) * len(self)):
            yield epoch, index


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """A 32-bit seed for one sample in one epoch, independent of all others."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])


def epoch_sampler(dataset: Dataset[Any], rank: int, world_size: int, seed: int) -> EpochSampler:
    """The sampler of one rank; a single rank gets every sample in every epoch."""
    return EpochSampler(
        dataset, num_replicas=world_size, rank=rank, shuffle=True, seed=seed, drop_last=True
    )
