"""Turn seeds into pseudo masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsss.argument_checks import check_whole
from wsss.artifacts import SEED_STAGES, LabelStore, ProposalStore, SeedStore, StatisticsStore
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.errors import InvalidOptionError, inside
from wsss.refine.crf_labelling import CrfLabelling
from wsss.refine.proposal_votes import ProposalVotes
from wsss.refine.refinement import Refinement
from wsss.refine.thresholds import FixedThreshold
from wsss.stage_tools.context import Context
from wsss.stage_tools.item_files import Calls, write_item_files
from wsss.stage_tools.mask_statistics import write_summary
from wsss.stage_tools.pooled_threshold import fit_to_data_set
from wsss.stage_tools.refine_item import RefineItem
from wsss.stage_tools.seed_labels import mask_calls

VERSION = 3
INPUTS = ("localize", "propagate", "probe", "propose")
SWITCHES = {"propose": "votes"}
SPLITS = (TRAIN,)
READS_MASKS = False
HAS_NETWORKS = False
KEY_NUMBER = "foreground_fraction"


def check(
    context: Context,
    *,
    method: Refinement,
    votes: ProposalVotes | None = None,
    min_region_px: int = 0,
    batch_size: int = 16,
    max_batch_px: int = 4_000_000,
    **_: Any,
) -> None:
    """Refuse settings that are out of range, and a device that is not there, before all else.

    Raises:
        WsssError: names the setting.
    """
    check_whole(0, min_region_px=min_region_px)
    check_whole(1, batch_size=batch_size, max_batch_px=max_batch_px)
    with inside("method"):
        method.check()
    if votes is not None and "propose" not in context.inputs:
        raise InvalidOptionError(
            "votes", "proposals", "the stage `propose`, whose masks vote", "there is no such stage",
            "Take `refine=sam_votes`, which switches it on.",
        )  # fmt: skip


def run(
    context: Context,
    *,
    method: Refinement,
    votes: ProposalVotes | None = None,
    min_region_px: int = 0,
    keep_tags: bool = True,
    batch_size: int = 16,
    max_batch_px: int = 4_000_000,
) -> dict[str, float]:
    """Write the pseudo mask of every training image, as `masks/<id>.png`.

    No mask holds a class that its image is not tagged with.

    Args:
        context: data, folders, processes.
        method: turns an image and its seeds into a mask.
        votes: lets the masks of `propose` take the class of most of their pixels in it.
        min_region_px: connected regions of one label with fewer pixels become void.
        keep_tags: give a tag without any pixel those where its map is strongest, one at least.
        batch_size: images that an engine for GPUs solves together.
        max_batch_px: the pixels of such a batch at the size at which they are refined, which its
            memory grows with; a larger image is a batch of its own.

    Returns:
        Statistics that need no ground truth: `images`, the fractions of pixels that are labelled,
        foreground and void, the images in which a tag was restored, `seed_entropy` and
        `seed_agreement` (see `compare`), and the data set's threshold if it has one.
        `metrics.json` has every class's share, too.
    """
    items = context.items(TRAIN)
    masks = LabelStore(context.folder / "masks")
    seeds = SeedStore(seed_folder(context))
    statistics = StatisticsStore(context.folder / "statistics")
    method = fit_to_data_set(context, method, items, seeds)
    proposals = ProposalStore(context.inputs["propose"] / "proposals") if votes else None
    task = RefineItem(
        context.source.reader, seeds, masks, statistics, method, min_region_px, keep_tags,
        votes, proposals,
    )  # fmt: skip

    def calls(pending: Sequence[Item]) -> Calls:
        if not isinstance(method, CrfLabelling):
            return ((item,) for item in pending)
        sizes = {"batch_size": batch_size, "max_batch_px": max_batch_px}
        return mask_calls(context, method, pending, task.read, **sizes)

    write_item_files(context, items, masks, task, calls, "refine")
    rule = method.rule
    threshold = {"bg_threshold": rule.threshold} if isinstance(rule, FixedThreshold) else {}
    return write_summary(context, items, masks, statistics, threshold)


def seed_folder(context: Context) -> Path:
    """The seeds to refine: those of the last stage that writes some."""
    last = next(stage for stage in SEED_STAGES if stage in context.inputs)
    return context.inputs[last] / "seeds"
