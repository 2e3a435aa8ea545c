"""Batches of stored features from memory, in the order of a sampler."""

from collections.abc import Iterator, Sequence, Sized
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from wsss.data.datasets import TaggedBatch


class Keys(Sized, Protocol):
    """An order of samples, such as `EpochSampler`."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs of epoch and index."""


class FeatureBatches:
    """What a loader of `FeatureViews` gives, in the same order, without reading anything."""

    batch_sampler = None
    """Lightning asks whoever has a sampler for it."""

    def __init__(
        self,
        views: Float[Tensor, "n v k"],
        tags: Float[Tensor, "n c"],
        view_of: "ViewChoice",
        sampler: Keys | Sequence[tuple[int, int]],
        batch_size: int,
        drop_last: bool = False,
        sample: str = "image",
    ) -> None:
        """Take the features of all samples.

        Args:
            views: on the device that trains.
            tags: likewise.
            view_of: chooses the view of a sample.
            sampler: the order of samples.
            batch_size: samples of a batch.
            drop_last: leave out a last batch that is not full.
            sample: what one is, in a word.
        """
        self.views = views
        self.tags = tags
        self.view_of = view_of
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sample = sample

    def __len__(self) -> int:
        """Number of batches."""
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[TaggedBatch]:
        """Features float32 [b, K, 1, 1] and tags float32 [b, C] of an epoch."""
        count = len(self.sampler)
        keys = np.fromiter(self.sampler, dtype=np.dtype((np.int64, 2)), count=count)
        chosen = (self.view_of(epoch, index) for epoch, index in map(np.ndarray.tolist, keys))
        indices = self._sent(keys[:, 1])
        views = self._sent(np.fromiter(chosen, dtype=np.int64, count=count))
        for number in range(len(self)):
            own = slice(number * self.batch_size, (number + 1) * self.batch_size)
            features = self.views[indices[own], views[own]]
            yield {"images": features[..., None, None], "tags": self.tags[indices[own]]}

    def _sent(self, numbers: Int64[np.ndarray, " n"]) -> Int64[Tensor, " n"]:
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self.views.device)


class ViewChoice(Protocol):
    """Chooses one of a sample's views."""

    def __call__(self, epoch: int, index: int) -> int:
        """The number of the view."""
