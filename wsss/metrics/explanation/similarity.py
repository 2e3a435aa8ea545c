"""How alike two maps of the same image are.

Four figures, since each is blind to something:

* the rank correlation asks whether pixels are ordered alike; it sees no distances (Adebayo et al.
  2018 compare by it);
* structural similarity asks whether edges and textures are alike, window by window;
* the intersection over union at half asks whether the same region is marked;
* the moved share asks how much of the evidence is elsewhere: the total-variation distance.
"""

import numpy as np
import torch
from jaxtyping import Float

HALF = 0.5
"""Part of a map's maximum from which a pixel is marked."""

Map = Float[np.ndarray, "h w"]


def rank_correlation(first: Map, second: Map) -> float | None:
    """Spearman's rank correlation over the pixels, in [-1, 1]; equal values share a mean rank.

    None where one of the maps is constant: it orders nothing.
    """
    from scipy.stats import rankdata

    ours, others = (rankdata(one.ravel()) for one in (first, second))
    ours, others = ours - ours.mean(), others - others.mean()
    lengths = np.linalg.norm(ours) * np.linalg.norm(others)
    return float(np.clip(ours @ others / lengths, -1, 1)) if lengths else None


def iou_at_half(first: Map, second: Map) -> float | None:
    """Intersection over union of the pixels from half of each map's maximum, in [0, 1].

    None where neither map is above 0 anywhere; 0 where one of them is not.

    Args:
        first: not negative.
        second: not negative.
    """
    ours, others = ((one >= HALF * one.max()) & (one > 0) for one in (first, second))
    union = np.count_nonzero(ours | others)
    return np.count_nonzero(ours & others) / union if union else None


def moved_share(first: Map, second: Map) -> float:
    """Total-variation distance of two maps as distributions, `½ Σ |p − q|`, in [0, 1].

    The share of the evidence that would have to be moved to make one map of the other. Each map is
    divided by its sum first. 1 where one map alone is empty, 0 where both are.

    Args:
        first: not negative.
        second: not negative.
    """
    totals = [float(one.sum(dtype=np.float64)) for one in (first, second)]
    if not all(totals):
        return float(any(totals))
    p, q = (one / total for one, total in zip((first, second), totals, strict=True))
    return float(np.abs(p - q).sum(dtype=np.float64) / 2)


def structural_similarity(first: Map, second: Map) -> float:
    """Structural similarity (Wang et al. 2004), the mean over Gaussian windows of 11 × 11 pixels.

    Beyond its border a map goes on as its mirror image.

    Args:
        first: in [0, 1], of at least 11 × 11 pixels.
        second: in [0, 1].
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    ours, others = (torch.from_numpy(one.astype(np.float64))[None, None] for one in (first, second))
    found = structural_similarity_index_measure(ours, others, data_range=1.0)
    assert isinstance(found, torch.Tensor)  # The other images are not asked for.
    return float(found)
