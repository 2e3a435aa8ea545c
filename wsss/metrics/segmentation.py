"""The data-set mean IoU as a torchmetrics metric, summed over batches and processes."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torchmetrics import Metric

from wsss.data.sample import VOID_LABEL
from wsss.metrics.confusion import mean_iou, void_as_background


class MeanIoU(Metric):
    """Mean IoU over the labels of a data set; void targets are left out.

    Unlike `torchmetrics.segmentation.MeanIoU` it supports a void label and averages over the data
    set, not over images, as papers do. Pixels are counted in int64 where they are, exactly and
    deterministically.
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, num_classes: int) -> None:
        """Count `num_classes` classes and background."""
        super().__init__()
        self.num_classes = num_classes
        zeros = torch.zeros(num_classes + 1, num_classes + 2, dtype=torch.int64)
        self.add_state("counts", default=zeros, dist_reduce_fx="sum")

    def update(self, prediction: UInt8[Tensor, "*shape"], target: UInt8[Tensor, "*shape"]) -> None:
        """Count a batch of masks: 0 background, 1…C classes, 255 void."""
        self.counts += counted(prediction, target, self.num_classes)

    def compute(self) -> Float[Tensor, ""]:
        """Mean IoU of everything counted so far, missing predictions as background."""
        counts = void_as_background(self.counts.cpu().numpy())
        return torch.tensor(mean_iou(counts), dtype=torch.float32)


def counted(
    prediction: UInt8[Tensor, "*shape"], target: UInt8[Tensor, "*shape"], num_classes: int
) -> Int64[Tensor, "c1 c2"]:
    """As `confusion_matrix`, without copying masks from a GPU; values are not checked."""
    num_labels = num_classes + 1
    columns = torch.where(prediction == VOID_LABEL, num_labels, prediction.int())
    pairs = target.int() * (num_labels + 1) + columns  # Half the memory of int64.
    last = num_labels * (num_labels + 1)  # What is not counted.
    pairs = torch.where(target == VOID_LABEL, last, pairs)
    counts = torch.bincount(pairs.flatten(), minlength=last + 1)[:last]
    return counts.view(num_labels, num_labels + 1)
