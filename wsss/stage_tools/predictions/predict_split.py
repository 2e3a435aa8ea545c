"""Predictions of a segmenter on a split, written and scored image by image."""

from collections.abc import Sequence

from wsss.artifacts import LabelStore
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.models import Segmenter
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import ready
from wsss.stage_tools.predictions.crf_on_device import with_crf
from wsss.stage_tools.predictions.finish import FinishPrediction
from wsss.stage_tools.predictions.passes import predictions
from wsss.stage_tools.progress import track
from wsss.stage_tools.scoring import CountStore, ScorePrediction
from wsss.stage_tools.worker_pool import process_items


def predict_split(
    context: Context,
    model: Segmenter,
    split: str,
    items: Sequence[Item],
    counts: CountStore,
    scales: Scales,
    flip: bool,
    crf: DenseCrfEngine | None,
    batch_size: int,
    in_detail: bool = False,
) -> None:
    """Write `predictions/<split>` and `<split>_tta_crf` of this rank's share, and count both.

    Args:
        context: data, folders, processes.
        model: the segmenter.
        split: of the items.
        items: those of all ranks.
        counts: of the pixels by true and predicted label; images that have some are left out.
        scales: the first is the single scale; all of them are averaged for the second prediction.
        flip: average mirror images, too.
        crf: applied to the averaged probabilities; None leaves it out.
        batch_size: images a forward pass.
        in_detail: whether outlines and confidences are counted, too.
    """
    model = ready(model, context)
    folder = context.folder / "predictions"
    finish = FinishPrediction(
        context.source.reader,
        LabelStore(folder / split),
        LabelStore(folder / f"{split}_tta_crf"),
        crf,
        scales.max_side_px,
        ScorePrediction(context.source.reader, counts, boundaries=in_detail),
    )
    pending = {item.id for item in items if not counts.has(item)}
    calls = predictions(context, model, items, pending, scales, flip, batch_size, in_detail)
    if crf is not None and crf.in_batches:
        calls = with_crf(context, crf, calls, scales.max_side_px)
    finished = process_items(finish, calls, context.workers, context.folder, context.measured)
    done = len(items) - len(pending)
    for _ in track(finished, len(items), f"predict {split}", done, visible=context.is_main):
        pass
