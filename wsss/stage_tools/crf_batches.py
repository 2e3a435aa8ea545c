"""Dense CRFs on a GPU: posed by CPU processes, solved together, in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, UInt8, UInt16
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsss.artifacts import Seeds
from wsss.data.sample import Item
from wsss.machine.processes import loader_context
from wsss.refine.crf_labelling import CrfLabelling
from wsss.refine.dense_crf.engine import DenseCrfEngine, Labels, Problem
from wsss.stage_tools.context import Context
from wsss.stage_tools.measured import CRF, IMAGES
from wsss.stage_tools.worker_pool import ITEM_ERRORS, failure_noted, note_failure

BATCH_SIZE = 16
MOST_PX = 4_000_000

T = TypeVar("T")

Read = Callable[[Item], tuple[UInt8[np.ndarray, "_ _ 3"], Seeds]]
"""Reads the image of an item, and its seeds."""


class Posed(NamedTuple):
    """A problem, and what its solution is for."""

    item: Item
    problem: Problem


def masks_in_batches(
    context: Context,
    labelling: CrfLabelling,
    items: Sequence[Item],
    read: Read,
    batch_size: int = BATCH_SIZE,
    max_batch_px: int = MOST_PX,
) -> Iterator[tuple[Item, UInt8[np.ndarray, "_ _"]]]:
    """Yield each item with its mask, solved together with others; what fails is noted.

    Args:
        context: processes, and where failures and waits are noted.
        labelling: poses the problems and makes masks of their solutions.
        items: in the order in which they are solved.
        read: reads an item, in a loader's process.
        batch_size: images that are solved together at most.
        max_batch_px: their pixels at most; a larger image is solved alone.
    """
    loader = DataLoader(
        _Problems(labelling, items, read),
        batch_size=None,
        num_workers=context.workers,
        multiprocessing_context=loader_context(context.workers),
    )
    tags: dict[str, tuple[UInt16[np.ndarray, " n"], tuple[int, int]]] = {}

    def posed() -> Iterator[Posed]:
        for item, sent in zip(items, context.measured.timed(IMAGES, loader), strict=True):
            if sent.failure:
                note_failure(context.folder, item, sent.failure)
            else:
                tags[item.id] = sent.labels, sent.size
                yield Posed(item, sent.problem())

    results = solved(
        context, labelling.engine, posed(), labelling.with_confidence, batch_size, max_batch_px
    )
    for item, found in results:
        yield item, labelling.mask(found, *tags.pop(item.id))


def solved(
    context: Context,
    engine: DenseCrfEngine,
    posed: Iterable[Posed],
    with_confidence: bool = False,
    batch_size: int = BATCH_SIZE,
    max_batch_px: int = MOST_PX,
) -> Iterator[tuple[Item, list[Labels]]]:
    """Yield the labels of each problem's unaries, in order.

    A batch with an image that fails is solved again one by one, so that it does not stop the
    others.
    """
    halvings = engine.halvings
    for batch in batches_of(posed, batch_size, max_batch_px):
        with context.measured.waiting_for(CRF):
            results = _solved_together(engine, batch, with_confidence)
            if results is None:
                results = []
                for item, problem in batch:
                    with failure_noted(context.folder, item):
                        results.append((item, engine.label(*problem, with_confidence)))
        context.measured.halvings += engine.halvings - halvings
        halvings = engine.halvings
        yield from results


def batches_of(posed: Iterable[Posed], batch_size: int, max_batch_px: int) -> Iterator[list[Posed]]:
    """Problems in batches, in their order, each filled up as far as both bounds allow.

    Args:
        posed: read no further than to the first that is too much for a batch.
        batch_size: problems of a batch at most.
        max_batch_px: the pixels of their images at most; a larger one is a batch of its own.
    """
    batch: list[Posed] = []
    used_px = 0
    for one in posed:
        size_px = one.problem.image[..., 0].size
        if batch and (len(batch) == batch_size or used_px + size_px > max_batch_px):
            yield batch
            batch, used_px = [], 0
        batch.append(one)
        used_px += size_px
    if batch:
        yield batch


def _solved_together(
    engine: DenseCrfEngine, batch: Sequence[Posed], with_confidence: bool
) -> list[tuple[Item, list[Labels]]] | None:
    """The solutions of a batch; None where it failed.

    Not an exception, whose traceback would keep the images of the batch in memory.
    """
    images, unaries = zip(*(problem for _, problem in batch), strict=True)
    try:
        found = engine.label_batch(images, unaries, with_confidence)
    except ITEM_ERRORS:
        return None
    return [(item, labels) for (item, _), labels in zip(batch, found, strict=True)]


@dataclass(slots=True)
class _Sent:
    """A problem on its way through shared memory, of which each tensor takes a file."""

    failure: str = ""
    image: Tensor | None = None
    energies: Float32[Tensor, " e"] | None = None
    """Of all unaries, one after another."""
    counts: tuple[int, ...] = ()
    """Labels of each unary."""
    labels: UInt16[np.ndarray, " n"] | None = None
    size: tuple[int, int] = (0, 0)

    def problem(self) -> Problem:
        """The problem as it was posed."""
        assert self.image is not None
        assert self.energies is not None
        image = self.image.numpy()
        planes = self.energies.numpy().reshape(-1, *image.shape[:2])
        return Problem(image, np.split(planes, np.cumsum(self.counts, dtype=int))[:-1])


class _Problems(Dataset[_Sent]):
    """The problems of items, posed on access."""

    def __init__(self, labelling: CrfLabelling, items: Sequence[Item], read: Read) -> None:
        self.labelling = labelling
        self.items = items
        self.read = read

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> _Sent:
        try:
            image, seeds = self.read(self.items[index])
            working, unaries = self.labelling.problem(image, seeds)
        except ITEM_ERRORS as error:
            return _Sent(str(error))
        planes = [one.reshape(-1) for one in unaries] or [np.zeros(0, dtype=np.float32)]
        return _Sent(
            image=torch.from_numpy(np.ascontiguousarray(working)),
            energies=torch.from_numpy(np.concatenate(planes)),
            counts=tuple(map(len, unaries)),
            labels=seeds.labels,
            size=(image.shape[0], image.shape[1]),
        )
