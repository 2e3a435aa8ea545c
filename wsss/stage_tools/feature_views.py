"""Stored features as samples of a head, from memory if they fit, else from their files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsss.data.datasets import TaggedBatch
from wsss.data.item_table import select
from wsss.data.random_seeds import epoch_sampler, sample_seed
from wsss.data.sample import Item
from wsss.data.source import VAL
from wsss.files import intact
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_batches import FeatureBatches
from wsss.stage_tools.loaders import training_loader
from wsss.stage_tools.pooled_features import features_path

MEMORY_SHARE = 0.25
"""Of the free memory that features may take."""
MOST_BYTES = 2**31
"""That they may take however much is free: 15,000 images with the views of `classify=frozen`. From
its file a view is read in 0.2 ms."""

VALIDATION_BATCH = 256


class FeatureViews(Dataset[TaggedBatch]):
    """Cached features as images of one pixel, addressed by (epoch, index): one view a sample."""

    def __init__(
        self, context: Context, items: Sequence[Item], folder: Path, first_view_only: bool = False
    ) -> None:
        """Find the features of `items` in `folder`; missing ones are left out.

        Args:
            context: data and seed.
            items: the items of one split.
            folder: where `store_pooled_features` wrote.
            first_view_only: the unvaried image, for validation.
        """
        self.items = select(items, lambda item: features_path(folder, item).is_file())
        self.folder = folder
        self.tags = torch.from_numpy(context.source.tag_matrix(self.items))
        """Bool [n, C]."""
        self.seed = context.seed
        self.first_view_only = first_view_only
        self.num_views = len(self.read(0)) if self.items else 0
        """Of each image: all have the same scales and windows."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]) -> TaggedBatch:
        """Features float32 [K, 1, 1] and tags float32 [C]."""
        epoch, index = key
        features = torch.from_numpy(self.read(index)[self.view_of(epoch, index)].copy())
        return {"images": features[:, None, None], "tags": self.tags[index].float()}

    def read(self, index: int) -> Float[np.ndarray, "v k"]:
        """All views of an image, read when they are looked at.

        Raises:
            DamagedFileError: the file cannot be read.
        """
        path = features_path(self.folder, self.items[index])
        with intact(path):
            views: Float[np.ndarray, "v k"] = np.load(path, mmap_mode="r", allow_pickle=False)
        return views

    def view_of(self, epoch: int, index: int) -> int:
        """The view of a sample: the first, or one that is drawn anew in each epoch."""
        return 0 if self.first_view_only else sample_seed(self.seed, epoch, index) % self.num_views


def feature_loader(
    context: Context, features: FeatureViews, batch_size: int
) -> DataLoader[TaggedBatch] | FeatureBatches:
    """This rank's share of shuffled samples; `batch_size` counts all ranks together."""
    if (views := loaded(context, features)) is None:
        return training_loader(context, features, batch_size, workers=0)
    fabric = context.fabric
    sampler = epoch_sampler(features, fabric.global_rank, fabric.world_size, context.seed)
    own_batch = batch_size // fabric.world_size
    return FeatureBatches(
        views, _tags(context, features), features.view_of, sampler, own_batch,
        drop_last=len(sampler) >= own_batch,
    )  # fmt: skip


def feature_validation(context: Context, folder: Path) -> DataLoader[TaggedBatch] | FeatureBatches:
    """This rank's share of the validation images' stored features, not varied."""
    features = FeatureViews(context, context.items(VAL), folder, first_view_only=True)
    own = context.share([(0, index) for index in range(len(features))])
    if (views := loaded(context, features)) is None:
        return DataLoader(features, batch_size=VALIDATION_BATCH, sampler=own)
    return FeatureBatches(views, _tags(context, features), features.view_of, own, VALIDATION_BATCH)


def loaded(context: Context, features: FeatureViews) -> Float[Tensor, "n v k"] | None:
    """The features of all images on the run's device; None where its memory does not suffice.

    Of features that are not varied the first view alone.
    """
    if not len(features):
        return None
    kept = slice(1) if features.first_view_only else slice(None)
    size = len(features) * features.read(0)[kept].nbytes
    device = context.fabric.device
    free = psutil.virtual_memory().available
    if device.type == "cuda":
        free = min(free, torch.cuda.mem_get_info(device)[0])
    if size > min(MEMORY_SHARE * free, MOST_BYTES):
        return None
    views = np.empty((len(features), *features.read(0)[kept].shape), dtype=np.float32)
    for index in range(len(features)):  # One by one: each is an open file as long as it is kept.
        views[index] = features.read(index)[kept]
    return torch.from_numpy(views).to(device)


def _tags(context: Context, features: FeatureViews) -> Float[Tensor, "n c"]:
    return features.tags.to(context.fabric.device, torch.float32)
