"""Confident labels of seeds, by two dense CRFs (IRN)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8, UInt16

from wsss.argument_checks import check_inside_unit, check_whole
from wsss.artifacts import Seeds
from wsss.data.resizing import resize_mask, shrink
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL
from wsss.errors import InvalidOptionError
from wsss.refine.crf_labelling import CrfLabelling
from wsss.refine.dense_crf.engine import DenseCrfEngine, Labels, Problem
from wsss.refine.dense_crf.unaries import energies_from_labels
from wsss.refine.pseudo_label import threshold_mask, upsample


class ConfidentLabels(CrfLabelling):
    """Training labels of IRN's affinities, void where they are uncertain.

    The seeds are thresholded high for confident foreground and low for confident background, and
    refined by a dense CRF. A pixel is foreground where the first solution is, background where both
    are, and void elsewhere (Ahn, Cho and Kwak, CVPR 2019, with the authors' settings).
    """

    def __init__(
        self,
        engine: DenseCrfEngine,
        fg_threshold: float = 0.3,
        bg_threshold: float = 0.05,
        gt_prob: float = 0.7,
        max_side_px: int = 1024,
    ) -> None:
        """Set the thresholds.

        Args:
            engine: the dense CRF.
            fg_threshold: background threshold of the first solution's unaries.
            bg_threshold: that of the second one's.
            gt_prob: probability that thresholded seeds are right, in (0, 1).
            max_side_px: larger images are labelled at this size and the labels enlarged.

        Raises:
            WsssError: the thresholds are not in order, or a setting is out of range.
        """
        if not 0 <= bg_threshold <= fg_threshold <= 1:
            raise InvalidOptionError(
                "bg_threshold",
                bg_threshold,
                "two thresholds in [0, 1], that of the foreground not the smaller one",
                f"that of the foreground is {fg_threshold}",
                "Correct one of them; IRN's are 0.05 and 0.3, ReCAM's 0.1 and 0.35.",
            )
        check_inside_unit(gt_prob=gt_prob)
        check_whole(1, max_side_px=max_side_px)
        self.engine = engine
        self.fg_threshold = fg_threshold
        self.bg_threshold = bg_threshold
        self.gt_prob = gt_prob
        self.max_side_px = max_side_px

    def problem(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> Problem:
        """The image at working size, and energies of seeds that are thresholded high and low."""
        working = shrink(image, self.max_side_px)
        if not len(seeds.labels):
            return Problem(working, [])
        maps = upsample(seeds.maps, (working.shape[0], working.shape[1]))
        indices = np.arange(1, len(seeds.labels) + 1, dtype=np.uint16)
        starts = (threshold_mask(maps, indices, t) for t in (self.fg_threshold, self.bg_threshold))
        unaries = [energies_from_labels(start, len(maps) + 1, self.gt_prob) for start in starts]
        return Problem(working, unaries)

    def mask(
        self, found: Sequence[Labels], labels: UInt16[np.ndarray, " n"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w"]:
        """The labels; of an image without tags background."""
        if not found:
            return np.full(size, BACKGROUND_LABEL, dtype=np.uint8)
        sure_fg, sure_bg = (one.labels for one in found)
        return resize_mask(agreed_labels(sure_fg, sure_bg, labels), size)


def agreed_labels(
    sure_fg: UInt8[np.ndarray, "h w"],
    sure_bg: UInt8[np.ndarray, "h w"],
    labels: UInt16[np.ndarray, " n"],
) -> UInt8[np.ndarray, "h w"]:
    """Foreground as in the first, background where both agree on it, void elsewhere.

    Args:
        sure_fg: indices of labels, 0 background, from the high threshold.
        sure_bg: likewise from the low one.
        labels: mask values of the indices 1…n.
    """
    values = np.concatenate([[BACKGROUND_LABEL], labels]).astype(np.uint8)
    agreed: UInt8[np.ndarray, "h w"] = values[sure_fg]
    agreed[(sure_fg == 0) & (sure_bg != 0)] = VOID_LABEL
    return agreed
