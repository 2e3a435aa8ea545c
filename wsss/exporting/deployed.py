"""Networks as other programs call them: 8-bit images of any size in, everything else inside."""

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.data.colours import in_unit_range
from wsss.exporting.traceable import traceable
from wsss.models.backbones import Backbone
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.segmenter import Segmenter, evidence

MIN_SIDE_PX = 17
"""Smaller images are refused, whatever the network."""


class Deployed(nn.Module):
    """A network with the preprocessing of its images."""

    outputs: Sequence[str]
    """Names of the outputs, in their order."""
    compared: ClassVar[str] = "logits"
    """The output whose values are compared with the network's."""
    stride: int
    """Sides of images are brought to multiples of this, in pixels."""

    @property
    def min_side_px(self) -> int:
        """Least side of an image: a program for any size cannot have maps of a single cell."""
        return max(MIN_SIDE_PX, self.stride + 1)


class DeployedSegmenter(Deployed):
    """RGB images uint8 [B, 3, H, W] to a label for every pixel."""

    outputs = ("logits", "probabilities", "labels")

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.stride = segmenter.output_stride
        self.normalise = segmenter.normalise
        self.network = traceable(segmenter.network)
        given = segmenter.classifier
        self.classifier = None if given is None else traceable(given)
        self.classifier_weight = segmenter.classifier_weight

    @property
    def min_side_px(self) -> int:
        """Least side of an image: neither the network nor its classifier may have a single cell."""
        own = super().min_side_px
        return own if self.classifier is None else max(own, _stride(self.classifier) + 1)

    def forward(
        self, images: UInt8[Tensor, "b 3 H W"]
    ) -> tuple[Float[Tensor, "b c1 H W"], Float[Tensor, "b c1 H W"], UInt8[Tensor, "b H W"]]:
        """Logits and probabilities of background and C classes, and the most probable label."""
        height, width = images.shape[-2:]
        logits = self.network(zero_padded(self.normalise(in_unit_range(images)), self.stride))
        # Slices, as in `Segmenter`, would need a proof that the logits are no smaller.
        logits = logits.index_select(2, torch.arange(height))
        logits = logits.index_select(3, torch.arange(width))
        if self.classifier is not None:
            seen = edge_padded(in_unit_range(images), _stride(self.classifier))
            logits = logits + evidence(self.classifier, self.classifier_weight, seen)
        labels = logits.argmax(dim=1).to(torch.uint8)
        return logits, logits.softmax(dim=1), labels


class DeployedClassifier(Deployed):
    """RGB images uint8 [B, 3, H, W] to the probability of every class, and its activation map."""

    def __init__(self, classifier: SplitClassifier) -> None:
        super().__init__()
        self.stride = _stride(classifier)
        self.features = traceable(classifier.features)
        self.head = classifier.head
        self.has_maps = isinstance(classifier.head, LinearHead)
        self.outputs = ("logits", "probabilities", *(("cam",) if self.has_maps else ()))

    def forward(self, images: UInt8[Tensor, "b 3 H W"]) -> tuple[Tensor, ...]:
        """Logits and probabilities of C classes; with a linear head also `cam` [B, C, h, w].

        The maps are those of Zhou et al. 2016: the features weighted by the head, negative values
        cut off, not normalised, a cell for `stride` pixels.
        """
        features = self.features(edge_padded(in_unit_range(images), self.stride))
        logits = self.head(features)
        if not self.has_maps:
            return logits, logits.sigmoid()
        head = cast("LinearHead", self.head)
        return logits, logits.sigmoid(), F.conv2d(features, head.weight[:, :, None, None]).relu()


def _stride(classifier: SplitClassifier) -> int:
    """Image pixels per cell of a classifier's maps."""
    return cast("Backbone", classifier.features).output_stride


def edge_padded(images: Float[Tensor, "b 3 H W"], stride: int) -> Float[Tensor, "b 3 H2 W2"]:
    """Images whose last row and column are repeated until their sides are multiples of `stride`."""
    height, width = images.shape[-2:]
    rows, columns = (_indices(side, stride).clamp(max=side - 1) for side in (height, width))
    return images.index_select(2, rows).index_select(3, columns)


def zero_padded(images: Float[Tensor, "b 3 H W"], stride: int) -> Float[Tensor, "b 3 H2 W2"]:
    """Images with zeros below and on the right until their sides are multiples of `stride`."""
    height, width = images.shape[-2:]
    rows, columns = (_indices(side, stride).clamp(max=side) for side in (height, width))
    return F.pad(images, [0, 1, 0, 1]).index_select(2, rows).index_select(3, columns)


def _indices(side_px: int, stride: int) -> Int64[Tensor, " n"]:
    """0, 1, … up to the next multiple of `stride`."""
    return torch.arange((side_px + stride - 1) // stride * stride)
