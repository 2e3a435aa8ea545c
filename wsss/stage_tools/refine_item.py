"""The refinement of an image's seeds, and its statistics, in a CPU process without torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wsss.artifacts import LabelStore, ProposalStore, StatisticsStore
from wsss.data.sample import Item
from wsss.refine.proposal_votes import ProposalVotes
from wsss.refine.pseudo_label import upsample
from wsss.refine.refinement import Refinement
from wsss.refine.regions import restore_vanished_tags, void_small_regions
from wsss.stage_tools.mask_statistics import compare, mask_statistics
from wsss.stage_tools.seeded_images import SeededImages


@dataclass(frozen=True, slots=True)
class RefineItem(SeededImages):
    """The work on one image, done in a process of its own."""

    masks: LabelStore
    statistics: StatisticsStore
    method: Refinement
    min_region_px: int
    keep_tags: bool
    votes: ProposalVotes | None = None
    proposals: ProposalStore | None = None
    """That vote."""

    def __call__(self, item: Item, mask: UInt8[np.ndarray, "h w"] | None = None) -> None:
        """Clean a mask and write it, last: it marks the item as finished.

        Args:
            item: an image with seeds.
            mask: that of the method, where it was made together with others; None makes it here.
        """
        if mask is None:
            image, seeds = self.read(item)
            mask = self.method(image, seeds)
        else:
            seeds = self.seeds.read(item)
        if self.votes is not None and self.proposals is not None:
            mask = self.votes(mask, self.proposals.read(item).masks)
        mask = void_small_regions(mask, self.min_region_px)
        restored: tuple[int, ...] = ()
        if self.keep_tags:
            result = restore_vanished_tags(mask, upsample(seeds.maps, mask.shape), seeds.labels)
            mask, restored = result.mask, result.labels
        compared = compare(mask, seeds, self.method.rule)
        self.statistics.write(item, mask_statistics(mask, restored, compared))
        self.masks.write(item, mask)
