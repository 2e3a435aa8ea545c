"""Which images a batch has, for messages about it."""

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from wsss.data.random_seeds import EpochSampler
from wsss.data.sample import Item


class HasBatches(Protocol):
    """A loader of the samples that a sampler gives, in its order."""

    @property
    def sampler(self) -> Any:
        """The order of samples."""

    @property
    def batch_size(self) -> int | None:
        """Samples of a batch."""


def ids_of_batch(loader: HasBatches, items: Sequence[Item], epoch: int, batch: int) -> list[str]:
    """The ids of a batch's images, found again from the sampler's seed.

    Args:
        loader: of the training.
        items: its images, by the index that the sampler gives.
        epoch: counted from 0.
        batch: of the epoch, counted from 0.

    Returns:
        none if the sampler is not one that can tell.
    """
    if not items or not isinstance(loader.sampler, EpochSampler):
        return []
    sampler = copy.copy(loader.sampler)
    sampler.set_epoch(epoch)
    size = loader.batch_size or 1
    keys = [*sampler][batch * size : (batch + 1) * size]
    return [items[index].id for _, index in keys]


def of_all_ranks(ids: list[str], world_size: int) -> list[str]:
    """The ids that the processes of a run have, all of which call this."""
    if world_size == 1:
        return ids
    gathered: list[list[str]] = [[] for _ in range(world_size)]
    torch.distributed.all_gather_object(gathered, ids)
    return [one for of_rank in gathered for one in of_rank]
