"""Propose masks without classes, by a promptable mask model whose weights saw masks."""

import logging
from typing import Any

import numpy as np

from wsss.argument_checks import check_whole
from wsss.artifacts import Proposals, ProposalStore
from wsss.data.pyramids import PyramidBatch, Scales, Size
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.errors import inside
from wsss.models.mask_proposer import MaskProposer
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import PerThread
from wsss.stage_tools.network_files import write_network_files

log = logging.getLogger(__name__)

VERSION = 1
INPUTS: tuple[str, ...] = ()
SPLITS = (TRAIN,)
READS_MASKS = False
SAW_MASKS = True
KEY_NUMBER = "proposals_per_image"


def check(_context: Context, *, proposer: MaskProposer, max_side_px: int = 1024, **_: Any) -> None:
    """Refuse a model whose package or file is not there, before all else.

    Raises:
        WsssError: says how to get it.
    """
    check_whole(1, max_side_px=max_side_px)
    with inside("proposer"):
        proposer.check()


def run(context: Context, *, proposer: MaskProposer, max_side_px: int = 1024) -> dict[str, float]:
    """Write the regions that a mask model sees in every training image, `proposals/<id>.npz`.

    Nothing of the data set but its images is read. The model's weights saw masks of other images,
    though: whatever is made of the proposals is stamped `saw masks`.

    Args:
        context: data, folders, processes.
        proposer: the mask model and what it keeps.
        max_side_px: larger images are seen at this size.

    Returns:
        `images`: number of files; `proposals_per_image`, their mean.
    """
    items = context.items(TRAIN)
    store = ProposalStore(context.folder / "proposals")
    log.info("%s: weights of %s saw masks; what follows is stamped so", "propose", proposer.model)
    with inside("proposer"):
        proposer.load(context.fabric.device)
    proposers = PerThread(proposer)
    scales = Scales(multiple_px=1, max_side_px=max_side_px)

    def proposed(batch: PyramidBatch) -> list[Proposals]:
        images = batch.pyramid[0].permute(0, 2, 3, 1).numpy()
        return [proposers.value(image) for image in images]

    def write(item: Item, _size: Size, found: Proposals) -> None:
        store.write(item, found)

    write_network_files(
        context, items, scales, store.has, proposed, write, "propose", 1, cpu_px=None
    )
    if not context.is_main:
        return {}
    counts = [len(store.read(item).predicted_iou) for item in items if store.has(item)]
    return {"images": float(len(counts)), KEY_NUMBER: float(np.mean(counts))}
