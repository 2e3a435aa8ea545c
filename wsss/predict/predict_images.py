"""Predict images: masks and what follows from them, shared out among processes, resumed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wsss.data.item_table import select
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.data.source import VAL
from wsss.models import Segmenter
from wsss.predict.coco import NoteSegments
from wsss.predict.output_folder import OutputFolder
from wsss.predict.tiled_passes import count_tiles, predict_in_tiles
from wsss.predict.tiles import Tiling
from wsss.predict.write_results import WriteResults
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import ready
from wsss.stage_tools.predictions.crf_on_device import with_crf
from wsss.stage_tools.predictions.passes import predictions
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import process_items


@dataclass(frozen=True, slots=True)
class Settings:
    """How images are seen and refined."""

    scales: Scales
    flip: bool
    engine: DenseCrfEngine | None
    batch_size: int
    tiling: Tiling
    tiles_at_once: int = 2
    """On a CPU, each in a thread, which bounds memory."""

    @property
    def single_scale(self) -> bool:
        """Whether a mask is that of one pass."""
        return len(self.scales.factors) == 1 and not self.flip and self.engine is None


def predict_images(
    context: Context, segmenter: Segmenter, settings: Settings, output: OutputFolder
) -> None:
    """Write the results of this rank's share of all images of the context that lack any.

    An image that fails is noted in the context's folder.

    Args:
        context: images, their sizes, and processes.
        segmenter: the network.
        settings: how images are seen.
        output: what is written, and where.
    """
    items = select(context.source.items(VAL), lambda item: item.id in context.sizes)
    tiled = select(items, lambda item: settings.tiling.cuts(context.sizes[item.id]))
    whole = select(items, lambda item: not settings.tiling.cuts(context.sizes[item.id]))
    write = WriteResults(
        context.source,
        output,
        settings.engine,
        settings.scales.max_side_px,
        settings.single_scale,
    )
    segmenter = ready(segmenter, context)
    _predict_whole(context, segmenter, whole, settings, write)
    _predict_tiled(context, segmenter, tiled, settings, write)


def _predict_whole(
    context: Context,
    segmenter: Segmenter,
    items: Sequence[Item],
    settings: Settings,
    write: WriteResults,
) -> None:
    pending = {item.id for item in items if not write.output.has(item)}
    calls: Iterable[tuple[Any, ...]] = predictions(
        context, segmenter, items, pending, settings.scales, settings.flip, settings.batch_size
    )
    engine = settings.engine
    if engine is not None and engine.in_batches:
        calls = with_crf(context, engine, calls, settings.scales.max_side_px)
    finished = process_items(write, calls, context.workers, context.folder, context.measured)
    if pending:
        _show(context, finished, len(items), "predict", len(items) - len(pending))


def _predict_tiled(
    context: Context,
    segmenter: Segmenter,
    items: Sequence[Item],
    settings: Settings,
    write: WriteResults,
) -> None:
    own = select(context.share(items), lambda item: not write.output.has(item))
    count = count_tiles(settings.tiling, [context.sizes[item.id] for item in own])
    few = replace(context, workers=min(context.workers, settings.tiles_at_once))
    finished = predict_in_tiles(
        few, segmenter, own, settings.tiling, settings.scales, settings.flip, write
    )
    if own:
        _show(context, finished, count, "predict tiles", unit="tile")


def note_segments(
    context: Context, items: Sequence[Item], output: OutputFolder, num_classes: int
) -> None:
    """Note COCO's annotations of this rank's share of masks."""
    own = context.share(items)
    pending = select(own, lambda item: not output.segments.has(item))
    calls = ((item,) for item in pending)
    finished = process_items(
        NoteSegments(output, num_classes), calls, context.workers, context.folder
    )
    if pending:
        _show(context, finished, len(own), "COCO segments", len(own) - len(pending))


def classify_images(
    context: Context,
    items: Sequence[Item],
    classify: Callable[[Sequence[Item]], Iterable[Item]],
    has: Callable[[Item], bool],
) -> None:
    """Tag and explain this rank's share of images that are not yet."""
    own = context.share(items)
    pending = select(own, lambda item: not has(item))
    if pending:
        _show(context, classify(pending), len(own), "classify", len(own) - len(pending))


def _show(
    context: Context,
    finished: Iterable[Item],
    total: int,
    what: str,
    done: int = 0,
    unit: str = "image",
) -> None:
    for _ in track(finished, total, what, done, visible=context.is_main, unit=unit):
        pass
