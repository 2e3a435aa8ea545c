"""Pooled features of a frozen backbone, computed once and stored."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsss.artifacts import atomic
from wsss.data.colours import in_unit_range
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.random_seeds import sample_seed
from wsss.data.sample import Item
from wsss.models import Backbone
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import ready
from wsss.stage_tools.network_files import write_network_files


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

    Raises:
        WsssError: too many images failed.
    """
    network = ready(backbone, context)

    def is_done(item: Item) -> bool:
        return features_path(folder, item).is_file()

    def window_seed(item: Item) -> int:
        return sample_seed(context.seed, 0, crc32(item.id.encode()))

    def pooled_views(batch: PyramidBatch) -> list[np.ndarray]:
        levels = [in_unit_range(level.to(context.fabric.device)) for level in batch.pyramid]
        maps = [network(x) for level in levels for x in (level, level.flip(-1))]
        return [
            pooled([one[index] for one in maps], num_windows, window_seed(item))
            .float()
            .cpu()
            .numpy()
            for index, item in enumerate(batch.items)
        ]

    def write(item: Item, _: Size, views: np.ndarray) -> None:
        with atomic(features_path(folder, item)) as path, path.open("wb") as stream:
            np.save(stream, views, allow_pickle=False)

    write_network_files(context, items, scales, is_done, pooled_views, write, "features")
    backbone.cpu()


def features_path(folder: Path, item: Item) -> Path:
    """The file of an item's features."""
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
