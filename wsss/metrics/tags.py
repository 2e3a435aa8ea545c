"""Average precision of predicted image tags."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_average_precision
from torchmetrics.utilities.data import dim_zero_cat


class TagMeanAveragePrecision(Metric):
    """Mean over classes of the average precision of their tags: tag mAP, in [0, 1].

    A class without any positive image has no average precision and is left out, where
    `torchmetrics.classification.MultilabelAveragePrecision` counts it as 0. NaN if all are.
    """

    full_state_update = False
    higher_is_better = True
    probabilities: Sequence[Tensor]
    tags: Sequence[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("probabilities", default=[], dist_reduce_fx="cat")
        self.add_state("tags", default=[], dist_reduce_fx="cat")

    def update(self, probabilities: Float[Tensor, "b c"], tags: Int[Tensor, "b c"]) -> None:
        """Keep a batch: probabilities in [0, 1] and tags 0 or 1."""
        self.probabilities = [*self.probabilities, probabilities]
        self.tags = [*self.tags, tags]

    def compute(self) -> Float[Tensor, ""]:
        """Mean average precision of everything seen so far."""
        # On a GPU its many small operations would take longer, and cumulative sums any order.
        probabilities, tags = (
            dim_zero_cat(every).cpu()  # type: ignore[arg-type]
            for every in (self.probabilities, self.tags)
        )
        return tag_mean_average_precision(probabilities, tags)


def tag_mean_average_precision(
    probabilities: Float[Tensor, "n c"], tags: Int[Tensor, "n c"]
) -> Float[Tensor, ""]:
    """The tag mAP of images whose probabilities are all here; see `TagMeanAveragePrecision`."""
    present = tags.sum(dim=0).nonzero()[:, 0].tolist()
    scores = [binary_average_precision(probabilities[:, c], tags[:, c]) for c in present]
    return torch.stack(scores).mean() if scores else torch.tensor(float("nan"))
