"""Mask proposals take the class that most of their pixels vote for."""

import cv2
import numpy as np
from jaxtyping import Bool, Int64, UInt8

from wsss.argument_checks import check_fraction
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL


class ProposalVotes:
    """Pseudo masks whose outlines are those of mask proposals.

    After SEPL (Chen et al., 2023, arXiv 2305.05803), with the authors' thresholds. Theirs leaves
    overlapping proposals of several classes to the order of the classes; here the smaller one is
    on top. Void pixels, which theirs does not have, do not vote.
    """

    def __init__(self, min_inside: float = 0.5, min_covered: float | None = 0.85) -> None:
        """Set when a proposal is one of a class.

        Args:
            min_inside: where more than this share of its voting pixels are that class's, in [0, 1].
            min_covered: or where it has at least this share of all pixels of that class; None
                leaves that out. It gives an object that is known in parts its whole outline, and
                its surroundings as well where these were proposed with it.

        Raises:
            InvalidOptionError: one is not in [0, 1].
        """
        check_fraction(min_inside=min_inside)
        if min_covered is not None:
            check_fraction(min_covered=min_covered)
        self.min_inside = min_inside
        self.min_covered = min_covered

    def __call__(
        self, mask: UInt8[np.ndarray, "h w"], proposals: Bool[np.ndarray, "n _ _"]
    ) -> UInt8[np.ndarray, "h w"]:
        """The mask after the vote.

        A pixel gets the class of the smallest proposal of a class that covers it; background, where
        it is covered by proposals of none alone; and keeps its label where nothing was proposed.
        A proposal that is void for more than its half makes nothing background.

        Args:
            mask: 0 background, 1…C classes, 255 void; not changed.
            proposals: regions, of the mask's size or smaller.
        """
        voted = mask.copy()
        if not len(proposals):
            return voted
        # One at a time: a hundred regions of a photograph of 12 megapixels are a gigabyte.
        votes = np.stack([votes_of(mask, at_size(one, mask.shape)) for one in proposals])
        won = self.winners(votes, np.bincount(mask.ravel(), minlength=256))
        num_px, num_voters = votes.sum(axis=1), votes[:, :VOID_LABEL].sum(axis=1)
        is_class = won != BACKGROUND_LABEL
        is_known = is_class | ((num_voters > 0) & (2 * num_voters >= num_px))
        # Background first, then classes, the largest first: what comes later is on top.
        for index in np.lexsort((-num_px, is_class)):
            if is_known[index]:
                voted[at_size(proposals[index], mask.shape)] = won[index]
        return voted

    def winners(
        self, votes: Int64[np.ndarray, "n 256"], pixels: Int64[np.ndarray, " 256"]
    ) -> UInt8[np.ndarray, " n"]:
        """The class of each proposal, 0 for none.

        Of several classes that it could be of, it is the one with most votes.

        Args:
            votes: pixels of each proposal by their label in the mask.
            pixels: those of the whole mask.
        """
        classes = votes[:, 1:VOID_LABEL]
        voters = np.maximum(votes[:, :VOID_LABEL].sum(axis=1, keepdims=True), 1)
        is_own = classes > self.min_inside * voters
        if self.min_covered is not None:
            of_class = pixels[1:VOID_LABEL]
            is_own |= (classes >= self.min_covered * of_class) & (of_class > 0)
        most = np.where(is_own, classes, 0)
        found: UInt8[np.ndarray, " n"] = most.argmax(axis=1).astype(np.uint8) + 1
        return np.where(most.any(axis=1), found, np.uint8(BACKGROUND_LABEL))


def votes_of(
    mask: UInt8[np.ndarray, "h w"], region: Bool[np.ndarray, "h w"]
) -> Int64[np.ndarray, " 256"]:
    """The pixels of a region by their label in a mask."""
    return np.bincount(mask[region], minlength=256)


def at_size(region: Bool[np.ndarray, "_ _"], size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """A region of a mask's size: that of an image that was shrunk is enlarged."""
    if region.shape == size:
        return region
    height, width = size
    resized = cv2.resize(region.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized).astype(bool)
