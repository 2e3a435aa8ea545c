"""Cached backbone features, for linear probing."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsss.artifacts import atomic
from wsss.data.datasets import TaggedBatch
from wsss.data.pyramids import PyramidBatch, PyramidBatches, Scales
from wsss.data.random_seeds import sample_seed
from wsss.data.sample import Item
from wsss.data.source import VAL
from wsss.files import intact
from wsss.models import Backbone
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import map_batches, ready
from wsss.stage_tools.loaders import BATCH_SIZE, pending_batches
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import note_failure


def store_pooled_features(
    context: Context,
    backbone: Backbone,
    items: Sequence[Item],
    scales: Scales,
    num_windows: int,
    folder: Path,
) -> None:
    """Write `<id>.npy`, float32 [views, K]: average-pooled features of every scale and its mirror.

    They are followed by features pooled over `num_windows` random windows of each map, which stand
    for random crops. Items are shared out over the ranks; existing files are kept; the function
    returns on all ranks at once.
    """
    batches = pending_batches(
        context, items, scales, BATCH_SIZE, lambda item: _path(folder, item).is_file()
    )
    loader = PyramidBatches(context.source, batches, scales).loader(context.workers)
    ready(backbone, context)

    def window_seed(item: Item) -> int:
        return sample_seed(context.seed, 0, crc32(item.id.encode()))

    def pooled_views(batch: PyramidBatch) -> list[np.ndarray]:
        levels = [level.to(context.fabric.device).float() / 255 for level in batch.pyramid]
        maps = [backbone(x) for level in levels for x in (level, level.flip(-1))]
        return [
            pooled([one[index] for one in maps], num_windows, window_seed(item))
            .float()
            .cpu()
            .numpy()
            for index, item in enumerate(batch.items)
        ]

    results = map_batches(context, pooled_views, loader)
    for batch, views in track(results, len(batches), "features", visible=context.is_main):
        for item, features in zip(batch.items, views, strict=True):
            with atomic(_path(folder, item)) as path, path.open("wb") as stream:
                np.save(stream, features, allow_pickle=False)
        for item, reason in batch.failures:
            note_failure(context.folder, item, reason)
    backbone.cpu()
    context.fabric.barrier()


def _path(folder: Path, item: Item) -> Path:
    return folder / f"{item.file_stem}.npy"


def pooled(
    maps: Sequence[Float[Tensor, "k _ _"]], num_windows: int, seed: int
) -> Float[Tensor, "v k"]:
    """Features averaged over whole maps, then over random windows of half to full side length."""
    views = [one.mean(dim=(1, 2)) for one in maps]
    generator = np.random.default_rng(seed)
    for one in maps:
        for _ in range(num_windows):
            sides = np.array(one.shape[1:])
            window = np.ceil(sides * generator.uniform(0.5, 1, size=2)).astype(int)
            top, left = generator.integers(0, sides - window + 1)
            views.append(one[:, top : top + window[0], left : left + window[1]].mean(dim=(1, 2)))
    return torch.stack(views)


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
        there = [item for item in items if _path(folder, item).is_file()]
        self.paths = [_path(folder, item) for item in there]
        self.tags = [torch.from_numpy(context.source.tags(item)).float() for item in there]
        self.seed = context.seed
        self.first_view_only = first_view_only

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> TaggedBatch:
        """Features float32 [K, 1, 1] and tags float32 [C]."""
        epoch, index = key
        # Read when asked for: memory does not grow with the number of images.
        path = self.paths[index]
        with intact(path):
            views = np.load(path, mmap_mode="r", allow_pickle=False)
        seed = sample_seed(self.seed, epoch, index)
        view = 0 if self.first_view_only else seed % len(views)
        features = torch.from_numpy(views[view].copy())
        return {"images": features[:, None, None], "tags": self.tags[index]}


def feature_validation(context: Context, folder: Path) -> DataLoader[TaggedBatch]:
    """A loader of this rank's share of the validation images' stored features, not varied."""
    views = FeatureViews(context, context.items(VAL), folder, first_view_only=True)
    own = context.share([(0, index) for index in range(len(views))])
    return DataLoader(views, batch_size=256, sampler=own)
