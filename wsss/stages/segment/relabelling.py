"""New pseudo masks by what a segmenter has learnt, of an image's own tags alone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from wsss.artifacts import LabelStore, Seeds, SeedStore, StatisticsStore, seed_size
from wsss.data.item_table import select, take
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.sample import Item
from wsss.metrics.agreement import label_agreement
from wsss.models import Segmenter
from wsss.models.inference import label_probabilities
from wsss.models.pixel_probe import tag_probabilities
from wsss.refine import CrfRefinement
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import ready
from wsss.stage_tools.item_files import Calls, write_item_files
from wsss.stage_tools.network_files import write_network_files
from wsss.stage_tools.refine_item import RefineItem
from wsss.stage_tools.seed_labels import mask_calls

log = logging.getLogger(__name__)

MOST_COMPARED = 1000
"""Images that tell how much masks have changed: more would tell the same."""


@dataclass(frozen=True, slots=True)
class Relabelling:
    """How a segmenter's predictions on training images become pseudo masks."""

    method: CrfRefinement
    """Refines probabilities of an image's tags; background is what they leave of 1."""
    scales: Scales
    flip: bool = True
    batch_size: int = 8


def relabelled(
    context: Context,
    model: Segmenter,
    items: Sequence[Item],
    settings: Relabelling,
    folder: Path,
) -> LabelStore:
    """Write what a segmenter sees of each image's tags, and the masks that a CRF makes of it.

    Probabilities are averaged over scales and mirror images, and what classes have that the image
    is not tagged with is shared out in proportion. Existing files are kept; the function returns on
    all ranks at once.

    Args:
        context: data and processes.
        model: the segmenter.
        items: with pseudo masks before.
        settings: scales, and the CRF.
        folder: takes `seeds/<id>.npz` and `masks/<id>.png`.

    Raises:
        WsssError: too many images failed.
    """
    seeds, masks = SeedStore(folder / "seeds"), LabelStore(folder / "masks")
    _write_probabilities(context, model, items, settings, seeds)
    statistics = StatisticsStore(folder / "statistics")
    task = RefineItem(context.source.reader, seeds, masks, statistics, settings.method, 0, True)

    def calls(pending: Sequence[Item]) -> Calls:
        return mask_calls(context, settings.method, pending, task.read)

    seen = select(items, seeds.has)  # Others could not be read, which is noted.
    write_item_files(context, seen, masks, task, calls, "new masks")
    return masks


def mean_agreement(items: Sequence[Item], before: LabelStore, after: LabelStore) -> float:
    """Mean IoU of masks of the same images over background and tags, in [0, 1]; see its metric.

    Of at most a thousand images with tags, evenly spaced. Without any it is 1: nothing changes.
    """
    tagged = select(items, lambda item: bool(item.labels) and before.has(item) and after.has(item))
    step = -(-len(tagged) // MOST_COMPARED) or 1
    found = [
        label_agreement(before.read(item), after.read(item), item.labels)
        for item in take(tagged, range(0, len(tagged), step))
    ]
    return float(np.mean(found)) if found else 1.0


def _write_probabilities(
    context: Context,
    model: Segmenter,
    items: Sequence[Item],
    settings: Relabelling,
    store: SeedStore,
) -> None:
    """Write the probabilities of every image's tags, those of this rank's share."""
    model = ready(model, context)
    scales = settings.scales

    def probabilities(batch: PyramidBatch) -> list[Float[np.ndarray, "n _ _"]]:
        sizes = [seed_size(*size) for size in batch.sizes]
        pyramid = [level.to(context.fabric.device) for level in batch.pyramid]
        found = label_probabilities(model, pyramid, sizes, settings.flip)
        return [
            # Logits up to a constant.
            tag_probabilities(one.clamp(min=1e-12).log(), item.labels).half().cpu().numpy()
            for one, item in zip(found, batch.items, strict=True)
        ]

    def write(item: Item, size: Size, maps: Float[np.ndarray, "n _ _"]) -> None:
        store.write(item, Seeds(np.array(item.labels, dtype=np.uint16), maps, size))

    write_network_files(
        context, items, scales, store.has, probabilities, write, "look anew", settings.batch_size
    )
