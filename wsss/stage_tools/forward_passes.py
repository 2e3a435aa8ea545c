"""Forward passes over batches, parallel on a CPU; results do not depend on the number of cores."""

import copy
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import local
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from wsss.cams.core.method import CamMethod
from wsss.data.pyramids import PyramidBatch
from wsss.errors import user_error
from wsss.machine.devices import memory_format
from wsss.machine.memory import out_of_memory, return_freed_memory
from wsss.models import Backbone, Segmenter, SplitClassifier
from wsss.models.folded_batch_norm import folded
from wsss.stage_tools.context import Context
from wsss.stage_tools.measured import IMAGES, NETWORK
from wsss.wording import plural

log = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)


def ready(model: M, context: Context, folds: bool = True) -> M:
    """Move a network to the context's device, for inference.

    Args:
        model: the network, or a classifier.
        context: names the device.
        folds: let convolutions do the work of batch norms, in a copy. A classifier that is cut by
            hooks stays as it is: it holds its layers themselves, which would not be the copy's.
    """
    device = context.fabric.device
    model = model.to(device, memory_format=memory_format(device)).eval()  # type: ignore[call-overload]
    front = model.features if isinstance(model, SplitClassifier) else model
    return folded(model, front) if folds and isinstance(front, Backbone | Segmenter) else model


class PerThread(local, Generic[T]):
    """A copy of an object for each thread that uses it, with shared tensors.

    Methods register hooks on a network. On a CPU several threads run the same network, and the
    hooks of one must not see the passes of another.
    """

    def __init__(self, original: T) -> None:
        """Copy for this thread; called anew in every thread that first uses the object."""
        self.value = share_tensors(original)


def share_tensors(original: T) -> T:
    """A deep copy that shares the tensors of the original, and so needs little memory."""
    tensors = _tensors(original)
    return copy.deepcopy(original, {id(tensor): tensor for tensor in tensors})


def _tensors(thing: Any) -> list[torch.Tensor]:
    """Parameters and buffers of all modules in a tuple, and in the attributes of its members."""
    members = thing if isinstance(thing, tuple) else (thing,)
    nested = [value for member in members for value in vars(member).values()]
    for member in members:
        if isinstance(member, CamMethod):  # It may be made of others, which have networks.
            nested += member.networks()
    modules = [one for one in (*members, *nested) if isinstance(one, nn.Module)]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def map_batches(
    context: Context,
    function: Callable[[PyramidBatch], list[R]],
    batches: Iterable[PyramidBatch],
    cpu_px: int | None = None,
) -> Iterator[tuple[PyramidBatch, list[R]]]:
    """Yield every batch, in order, with a result for each of its images, without gradients.

    On a CPU every batch is computed by one thread, several batches at once. Torch's own threads
    would split a convolution's sums differently on another number of cores, or in one of two
    processes, and the seeds would differ in their last bits. On a GPU batches come one by one, all
    in this thread, since cuDNN keeps its plans for each thread.

    A batch that memory does not suffice for is computed in halves.

    Args:
        context: device, number of threads, and where waits and halves are counted.
        function: from a batch to a result for each image; not called without images.
        batches: images that are read ahead.
        cpu_px: pixels of a batch's largest scale above which it is always computed in halves on a
            CPU, whose threads have a batch each; for functions whose results do not depend on what
            else is in a batch. None for no bound.

    Raises:
        WsssError: memory does not suffice for a single image.
    """
    bound_px = cpu_px if context.fabric.device.type == "cpu" else None

    def results_of(batch: PyramidBatch) -> list[R]:
        # Both are settings of the thread.
        with torch.no_grad(), context.fabric.autocast():
            return _in_parts(context, function, batch, bound_px) if batch.items else []

    return_freed_memory()  # Else the processes that read the images, forked now, keep it.
    batches = context.measured.timed(IMAGES, batches)
    if context.fabric.device.type != "cpu":
        for batch in batches:
            with context.measured.waiting_for(NETWORK):
                results = results_of(batch)
            yield batch, results
        return

    threads = max(1, context.workers)
    own_threads = torch.get_num_threads()
    waiting: deque[tuple[PyramidBatch, Future[list[R]]]] = deque()

    def first_finished() -> tuple[PyramidBatch, list[R]]:
        batch, computing = waiting.popleft()
        with context.measured.waiting_for(NETWORK):
            return batch, computing.result()

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(results_of, batch)))
                if len(waiting) > threads:
                    yield first_finished()
            while waiting:
                yield first_finished()
        finally:
            for _, computing in waiting:
                computing.cancel()
            torch.set_num_threads(own_threads)


def _in_parts(
    context: Context,
    function: Callable[[PyramidBatch], list[R]],
    batch: PyramidBatch,
    bound_px: int | None = None,
) -> list[R]:
    """The results of a batch, in as many parts as its bound and memory make necessary.

    Raises:
        WsssError: memory does not suffice for a single image.
    """
    count = len(batch.items)

    def of_halves() -> list[R]:
        parts = (_in_parts(context, function, part, bound_px) for part in batch.halves())
        return [result for part in parts for result in part]

    if bound_px is not None and count > 1 and batch.num_px > bound_px:
        return of_halves()
    try:
        return function(batch)
    except (RuntimeError, MemoryError) as error:  # Torch's errors of memory are RuntimeErrors.
        if not out_of_memory(error):
            raise
        reason = str(error).splitlines()[0]
    # Here the error is gone, and with it what its traceback held in memory.
    if context.fabric.device.type == "cuda":
        torch.cuda.empty_cache()
    if count == 1:
        raise user_error(
            batch.items[0].id,
            f"memory ran out on an image of {batch.sizes[0][0]} × {batch.sizes[0][1]} ({reason})",
            f"memory for a batch of one on {context.fabric.device}",
            f"Lower the `max_side_px` of the scales of `{context.stage}`, or leave out their "
            "largest factor.",
        )
    context.measured.halvings += 1
    log.warning(
        "%s: memory ran out with %s at once; they are computed in halves",
        context.stage, plural(count, "image"),
    )  # fmt: skip
    return of_halves()
