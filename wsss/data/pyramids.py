"""Images at several scales, in batches of equal size, independent of the number of processes."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsss.argument_checks import check_positive, check_whole
from wsss.data.datasets import to_tensor
from wsss.data.item_table import take
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.errors import InvalidOptionError, WsssError
from wsss.files import StorageError
from wsss.machine.processes import loader_context

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales of an image pyramid."""

    factors: tuple[float, ...] = (1.0,)
    """Factors of the image's side lengths."""
    multiple_px: int = 16
    """Sides are rounded to multiples of this: whole cells of the feature map."""
    max_side_px: int = 1024
    """Longer sides are reduced to this first, which bounds memory."""

    def __post_init__(self) -> None:
        """Refuse scales at which no image can be seen.

        Raises:
            InvalidOptionError: there is no factor, or a number is not above 0.
        """
        if not self.factors:
            raise InvalidOptionError("factors", [], "one factor at least, such as 1.0")
        for factor in self.factors:
            check_positive(factors=factor)
        check_whole(1, multiple_px=self.multiple_px, max_side_px=self.max_side_px)

    def sizes(self, size: Size) -> tuple[Size, ...]:
        """The size at every scale of an image of `size`."""
        shrink = min(1.0, self.max_side_px / max(size))

        def cells(side_px: int, factor: float) -> int:
            return max(1, round(side_px * shrink * factor / self.multiple_px)) * self.multiple_px

        return tuple((cells(size[0], f), cells(size[1], f)) for f in self.factors)


@dataclass(slots=True)
class PyramidBatch:
    """Images of equal size at every scale."""

    items: list[Item] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    """Original size of each image."""
    pyramid: list[UInt8[Tensor, "b 3 _ _"]] = field(default_factory=list)
    """RGB, one tensor a scale."""
    failures: list[tuple[Item, str]] = field(default_factory=list)
    """Items that could not be read, with the reason."""

    @property
    def num_images(self) -> int:
        """Images of the batch, those included that could not be read."""
        return len(self.items) + len(self.failures)

    @property
    def num_px(self) -> int:
        """Pixels of all images at the largest scale."""
        return max(
            (level.shape[0] * level.shape[-2] * level.shape[-1] for level in self.pyramid),
            default=0,
        )

    def halves(self) -> "tuple[PyramidBatch, PyramidBatch]":
        """The first and the second half of the images, as batches of their own."""
        middle = len(self.items) // 2
        first, second = (
            PyramidBatch(
                self.items[part], self.sizes[part], [level[part] for level in self.pyramid]
            )
            for part in (slice(middle), slice(middle, None))
        )
        return first, second


def plan_batches(
    items: Sequence[Item], size: Callable[[Item], Size], scales: Scales, batch_size: int
) -> list[Sequence[Item]]:
    """Group items that have the same size at every scale into batches of at most `batch_size`.

    The plan depends on the data alone. Ranks and resumed stages process whole batches, so that an
    image is always computed in the same batch, with the same bytes as a result. The largest images
    come first: a run short of memory fails early, and freed blocks fit all later batches.

    Args:
        items: images.
        size: from an item to the height and width of its image.
        scales: at which they are seen.
        batch_size: images of a batch at most.
    """
    groups: dict[tuple[Size, ...], array[int]] = defaultdict(lambda: array("q"))
    for position, item in enumerate(items):
        groups[scales.sizes(size(item))].append(position)
    return [
        take(items, group[start : start + batch_size])
        for _, group in sorted(groups.items(), key=_largest_first)
        for start in range(0, len(group), batch_size)
    ]


def _largest_first(group: tuple[tuple[Size, ...], Sequence[int]]) -> tuple[int, tuple[Size, ...]]:
    sizes = group[0]
    return -sum(height * width for height, width in sizes), sizes


class PyramidBatches(Dataset[PyramidBatch]):
    """Planned batches, read and rescaled on access."""

    def __init__(self, source: Source, plan: Sequence[Sequence[Item]], scales: Scales) -> None:
        self.source = source.reader
        self.plan = plan
        self.scales = scales

    def __len__(self) -> int:
        """Number of batches."""
        return len(self.plan)

    def __getitem__(self, index: int) -> PyramidBatch:
        """One batch; unreadable images are listed as failures."""
        batch = PyramidBatch()
        pyramids: list[list[Tensor]] = []
        for item in self.plan[index]:
            try:
                image = self.source.read_image(item)
            except StorageError:  # It concerns all images.
                raise
            except (WsssError, OSError) as error:
                batch.failures.append((item, str(error)))
                continue
            batch.items.append(item)
            batch.sizes.append((image.shape[0], image.shape[1]))
            sizes = self.scales.sizes((image.shape[0], image.shape[1]))
            pyramids.append([to_tensor(rescale(image, size)) for size in sizes])
        batch.pyramid = [torch.stack(level) for level in zip(*pyramids, strict=True)]
        return batch

    def loader(self, workers: int) -> DataLoader[PyramidBatch]:
        """A loader of the batches in their order."""
        return DataLoader(
            self,
            batch_size=None,
            num_workers=workers,
            multiprocessing_context=loader_context(workers),
        )


def rescale(image: UInt8[np.ndarray, "h w 3"], size: Size) -> UInt8[np.ndarray, "H W 3"]:
    """Resize an RGB image to `size`: by area when shrinking, else bilinear."""
    height, width = size
    shrinking = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)
