"""How a method's faithfulness averages over a data set, summed over batches and processes."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from wsss.explain.faithfulness_protocol import PairScores
from wsss.metrics.explanation.adcc import adcc
from wsss.metrics.explanation.confidence import counted, drop, drop_in_deletion, increase


def gain(whole: Float[Tensor, "*shape"], kept: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Fraction of the missing probability gained, `max(0, O − Y) / (1 − Y)`, in [0, 1].

    From Opti-CAM (Zhang et al. 2024). 0 where Y is 1 already, NaN where Y is near zero.
    """
    missing = 1 - whole
    share = (kept - whole).clamp(min=0) / missing.where(missing > 0, 1)
    return share.where(counted(whole), torch.nan)


class Faithfulness(Metric):
    """Averages over all pairs of image and class, in percent, as published tables give them.

    Pairs whose class has a probability near zero on the image are left out of every average and
    counted in `num_excluded`.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    AVERAGES = (
        "average_drop",
        "average_increase",
        "average_drop_in_deletion",
        "average_gain",
        "complexity",
        "coherency",
        "mean_adcc",
        "deletion",
        "insertion",
    )

    def __init__(self) -> None:
        super().__init__()
        zeros = torch.zeros(len(self.AVERAGES) + 1, dtype=torch.float64)
        self.add_state("sums", default=zeros, dist_reduce_fx="sum")
        self.add_state("counts", default=zeros.clone(), dist_reduce_fx="sum")

    def update(self, scores: PairScores) -> None:
        """Add pairs."""
        usable = counted(scores.whole)
        drops = drop(scores.whole, scores.kept)
        values = (
            drops,
            increase(scores.whole, scores.kept),
            drop_in_deletion(scores.whole, scores.deleted),
            gain(scores.whole, scores.kept),
            scores.complexity,
            scores.coherency,
            adcc(drops, scores.coherency, scores.complexity),
            scores.deletion,
            scores.insertion,
            usable.to(scores.whole.dtype),
        )
        for index, value in enumerate(values):
            if value is None:
                continue
            # The last row counts all pairs, so that the excluded ones are known.
            taken = value if index == len(self.AVERAGES) else value[usable]
            self.sums[index] += taken.double().sum()
            self.counts[index] += len(taken)

    def compute(self) -> dict[str, float]:
        """All averages that were measured, `adcc` (of the means) and the numbers of pairs."""
        measured = self.counts[:-1] > 0
        means = dict(zip(self.AVERAGES, self.sums[:-1] / self.counts[:-1], strict=True))
        result = {
            name: 100 * float(means[name])
            for name, known in zip(self.AVERAGES, measured, strict=True)
            if known
        }
        if result:
            parts = (means["average_drop"], means["coherency"], means["complexity"])
            result["adcc"] = 100 * float(adcc(*parts))
        num_counted = int(self.sums[-1])
        return result | {
            "num_pairs": num_counted,
            "num_excluded": int(self.counts[-1]) - num_counted,
        }
