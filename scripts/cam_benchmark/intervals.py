"""95 % intervals of a method's figures: how far they would move with other images.

Every figure follows from sums over images: those of the drawn images give it anew. All methods are
drawn the same images. What is chosen on masks, such as the best threshold, is chosen in each draw.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torchmetrics import Metric

from cam_benchmark.averages import Faithfulness
from cam_benchmark.boxes import ANY, DELTAS, FIRST_DELTA, LARGEST, THRESHOLDS
from cam_benchmark.pixels import NUM_THRESHOLDS
from wsss.metrics.bootstrap import interval, resampled
from wsss.metrics.explanation.adcc import adcc
from wsss.metrics.overlaps import mean_iou_of_overlaps

RESAMPLES = 1000

Counts = Sequence[Float[np.ndarray, " k"]]
"""What each image adds."""
Sums = Float[np.ndarray, "r k"]
Figures = Mapping[str, Float[np.ndarray, " r"]]


def counts_of(metric: Metric, *states: str) -> Float[np.ndarray, " k"]:
    """The summed states of a metric that has seen one image, flat and one behind the other."""
    every = [getattr(metric, state).double().cpu().numpy().ravel() for state in states]
    return np.concatenate(every)


def intervals(
    counts: Counts, figures: Callable[[Sums], Figures], num_resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """The interval of each figure; none of fewer than two images, or of what was not measured.

    Args:
        counts: of each image.
        figures: from sums of them to figures by name.
        num_resamples: of images.
    """
    if len(counts) < 2:
        return {}
    names = [*figures(np.sum(counts, axis=0)[None])]

    def columns(sums: Sums) -> np.ndarray:
        found = figures(sums)
        return np.stack([found[name] for name in names], axis=1)

    lows, highs = interval(resampled(np.stack(counts), columns, num_resamples))
    return {
        name: (float(low), float(high))
        for name, low, high in zip(names, lows, highs, strict=True)
        if np.isfinite(low)
    }


def faithfulness(sums: Sums) -> Figures:
    """What `Faithfulness.compute` gives in percent, from its states `sums` and `counts`."""
    totals, numbers = (one[:, :-1] for one in np.split(sums, 2, axis=1))
    means = dict(zip(Faithfulness.AVERAGES, _share(totals, numbers).T, strict=True))
    parts = (means["average_drop"], means["coherency"], means["complexity"])
    of_means = adcc(*(torch.from_numpy(one.copy()) for one in parts)).numpy()
    return {name: 100 * values for name, values in {**means, "adcc": of_means}.items()}


def pointing(sums: Sums) -> Figures:
    """`pointing` and `energy` from the states `hits`, `totals` and `energy`."""
    hits, totals = np.split(sums[:, :-1], 2, axis=1)
    present = totals > 0
    accuracy = np.where(present, _share(hits, totals), 0)
    return {
        "pointing": _share(accuracy.sum(axis=1), present.sum(axis=1)),
        "energy": _share(sums[:, -1], totals.sum(axis=1)),
    }


def pixels(sums: Sums) -> Figures:
    """`px_ap` from the states `inside` and `outside`."""
    inside, outside = (one[:, ::-1] for one in np.split(sums, [NUM_THRESHOLDS], axis=1))
    hits = inside.cumsum(axis=1)
    marked = hits + outside.cumsum(axis=1)
    areas = (hits / np.maximum(marked, 1) * inside).sum(axis=1)
    return {"px_ap": _share(areas, hits[:, -1])}


def boxes(sums: Sums) -> Figures:
    """`max_box_acc` and `max_box_acc_v2` from the states `correct` and `images`."""
    correct = sums[:, :-1].reshape(-1, len(THRESHOLDS), 2, len(DELTAS)).max(axis=1)
    first = correct[:, LARGEST, DELTAS.index(FIRST_DELTA)]
    return {
        "max_box_acc": _share(first, sums[:, -1]),
        "max_box_acc_v2": _share(correct[:, ANY].mean(axis=1), sums[:, -1]),
    }


def seeds(sums: Sums, num_labels: int) -> Figures:
    """`best_miou` and `miou` from overlaps at each threshold, the last of which is the fixed one.

    Args:
        sums: overlaps [t, num_labels, 3] of each resample, flat.
        num_labels: classes and background.
    """
    curves = mean_iou_of_overlaps(sums.reshape(len(sums), -1, num_labels, 3))
    return {"best_miou": curves[:, :-1].max(axis=1), "miou": curves[:, -1]}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """A quotient; NaN where there is nothing."""
    found = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
