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

        Args:
            mask: 0 background, 1…C classes, 255 void; not changed.
            proposals: regions, of the mask's size or smaller; those without a voting pixel are left
                out.
        """
        voted = mask.copy()
        if not len(proposals):
            return voted
        regions = _at_size(proposals, mask.shape)
        votes = votes_of(mask, regions)
        won = self.winners(votes, np.bincount(mask.ravel(), minlength=256))
        has_voters = votes[:, :VOID_LABEL].any(axis=1)
        voted[regions[has_voters].any(axis=0)] = BACKGROUND_LABEL
        for index in np.argsort(-votes.sum(axis=1), kind="stable"):
            if won[index] != BACKGROUND_LABEL:
                voted[regions[index]] = won[index]
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
    mask: UInt8[np.ndarray, "h w"], regions: Bool[np.ndarray, "n h w"]
) -> Int64[np.ndarray, "n 256"]:
    """The pixels of each region by their label in a mask."""
    return np.stack([np.bincount(mask[region], minlength=256) for region in regions])


def _at_size(
    regions: Bool[np.ndarray, "n _ _"], size: tuple[int, ...]
) -> Bool[np.ndarray, "n h w"]:
    """Regions of a mask's size: those of an image that was shrunk are enlarged."""
    if regions.shape[1:] == size:
        return regions
    height, width = size
    resized = [
        cv2.resize(one.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        for one in regions
    ]
    return np.stack(resized).astype(bool)
