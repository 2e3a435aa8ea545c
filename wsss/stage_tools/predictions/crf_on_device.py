"""The CRFs of predictions on a GPU, solved together."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from wsss.data.sample import Item
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.stage_tools.context import Context
from wsss.stage_tools.crf_batches import BATCH_SIZE, Posed, solved
from wsss.stage_tools.measured import IMAGES
from wsss.stage_tools.predictions.prediction import Prediction, crf_problem
from wsss.stage_tools.worker_pool import failure_noted


def with_crf(
    context: Context,
    engine: DenseCrfEngine,
    calls: Iterable[tuple[Item, Prediction]],
    max_side_px: int,
) -> Iterator[tuple[Any, ...]]:
    """Yield `(item, Prediction, indices of labels)`, solved in batches in the predictions' order.

    Images are read, and energies computed, by threads, while the network goes on.
    """
    waiting: dict[str, Prediction] = {}

    def pose(item: Item, prediction: Prediction) -> Posed:
        image = context.source.read_image(item)
        return Posed(item, crf_problem(image, prediction, max_side_px))

    def posed() -> Iterator[Posed]:
        posing: deque[tuple[Item, Future[Posed]]] = deque()

        def first() -> list[Posed]:
            item, future = posing.popleft()
            found = []
            with context.measured.waiting_for(IMAGES), failure_noted(context.folder, item):
                found.append(future.result())
            if not found:
                waiting.pop(item.id)
            return found

        with ThreadPoolExecutor(max(1, context.workers)) as threads:
            for item, prediction in calls:
                waiting[item.id] = prediction
                posing.append((item, threads.submit(pose, item, prediction)))
                if len(posing) > BATCH_SIZE:
                    yield from first()
            while posing:
                yield from first()

    for item, (found,) in solved(context, engine, posed()):
        yield item, waiting.pop(item.id), found.labels
